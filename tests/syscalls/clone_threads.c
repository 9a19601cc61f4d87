/* Threads: what they share, how they end, which ids they have. */
#include "harness.h"
#include "fixtures.h"

#include <linux/sched.h>
#include <pthread.h>

static void *store_42(void *where)
{
	*(volatile int *)where = 42;
	return where;
}

CASE(threads_share_memory, "clone(2)")
{
	volatile int value = 0;
	pthread_t thread;
	void *returned;

	CHECK_EQ(pthread_create(&thread, NULL, store_42, (void *)&value), 0);
	CHECK_EQ(pthread_join(thread, &returned), 0);
	CHECK_EQ(value, 42);
	CHECK(returned == &value);
}

static void *close_it(void *fd)
{
	return (void *)(long)close(*(int *)fd);
}

CASE(threads_share_the_descriptor_table, "clone(2)")
{
	int fd = make_file("file", "");
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, close_it, &fd), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
}

static void *block_usr1(void *unused)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return unused;
}

CASE(signal_mask_is_per_thread, "pthreads(7)")
{
	sigset_t set;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, block_usr1, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGUSR1), 0);
}

static void *exit_group_7(void *unused)
{
	syscall(SYS_exit_group, 7);
	return unused;
}

CASE(exit_group_in_a_thread_ends_the_process, "exit_group(2)")
{
	pthread_t thread;
	pid_t child = fork_child();

	if (child == 0) {
		pthread_create(&thread, NULL, exit_group_7, NULL);
		for (;;)
			pause();
	}
	CHECK_EXITS(child, 7);
}

static void *outlive_the_leader(void *fd)
{
	await(*(int *)fd);
	_exit(12);
	return NULL;
}

CASE(process_lives_on_when_its_first_thread_exits, "_exit(2)")
{
	int go[2];
	pthread_t thread;
	pid_t child;

	CHECK_OK(pipe(go));
	child = fork_child();
	if (child == 0) {
		pthread_create(&thread, NULL, outlive_the_leader, &go[0]);
		syscall(SYS_exit, 99);
	}
	for (int i = 0; i < 20; i++)
		sched_yield();
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	tell(go[1]);
	CHECK_EXITS(child, 12);
}

static volatile int thread_word;
static volatile pid_t seen_tid;

static int raw_thread(void *argument)
{
	seen_tid = syscall(SYS_gettid);
	thread_word = *(int *)argument;
	syscall(SYS_exit, 0);
	return 0;
}

enum { THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM };

CASE(CLONE_CHILD_CLEARTID_clears_and_wakes_at_exit, "set_tid_address(2)")
{
	static volatile pid_t tid_word = -1;
	char *stack = map_pages(16, MAP_PRIVATE);
	pid_t parent_word = 0, tid;
	int value = 31;

	tid = CHECK_OK(clone(raw_thread, stack + 16 * PAGE,
			     THREAD_FLAGS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
			     &value, &parent_word, NULL, &tid_word));
	CHECK_EQ(parent_word, tid);
	while (tid_word != 0)
		syscall(SYS_futex, &tid_word, 0 /* FUTEX_WAIT */, tid, NULL, NULL, 0);
	CHECK_EQ(thread_word, 31);
	CHECK_EQ(seen_tid, tid);
}

CASE(threads_are_not_waited_for_as_children, "wait(2)")
{
	static volatile pid_t tid_word = -1;
	char *stack = map_pages(16, MAP_PRIVATE);
	int value = 1;
	pid_t tid;

	tid = CHECK_OK(clone(raw_thread, stack + 16 * PAGE, THREAD_FLAGS | CLONE_CHILD_CLEARTID,
			     &value, NULL, NULL, &tid_word));
	CHECK_ERR(waitpid(tid, NULL, __WALL), ECHILD);
	while (tid_word != 0)
		sched_yield();
}

static void *report_tid_and_wait(void *argument)
{
	int *fds = argument;

	seen_tid = syscall(SYS_gettid);
	tell(fds[1]);
	await(fds[2]);
	return NULL;
}

CASE(tgkill_needs_the_right_thread_group, "tgkill(2)")
{
	int fds[4];
	pthread_t thread;

	CHECK_OK(pipe(fds));
	CHECK_OK(pipe(fds + 2));
	CHECK_EQ(pthread_create(&thread, NULL, report_tid_and_wait, fds), 0);
	await(fds[0]);
	CHECK_OK(syscall(SYS_tgkill, getpid(), seen_tid, 0));
	CHECK_OK(syscall(SYS_tkill, seen_tid, 0));
	CHECK_ERR(syscall(SYS_tgkill, getppid(), seen_tid, 0), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), 0x3fffffff, 0), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), seen_tid, 65), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, -1, seen_tid, 0), EINVAL);
	CHECK_ERR(syscall(SYS_tkill, 0, 0), EINVAL);
	tell(fds[3]);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static __thread int thread_local_value = 5;

static void *change_local(void *unused)
{
	thread_local_value = 6;
	return unused;
}

CASE(thread_local_storage_is_per_thread, "arch_prctl(2)")
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, change_local, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(thread_local_value, 5);
}

CASE(ARCH_GET_FS_reads_the_thread_pointer, "arch_prctl(2)")
{
	unsigned long base = 0, itself;

	CHECK_OK(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &base));
	__asm__("mov %%fs:0, %0" : "=r"(itself));
	CHECK_EQ(base, itself);
	CHECK_ERR(syscall(SYS_arch_prctl, 0x1003, unmapped()), EFAULT);
	CHECK_ERR(syscall(SYS_arch_prctl, 0x7777, &base), EINVAL);
	CHECK_ERR(syscall(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, 0xffff800000000000ul), EPERM);
}

CASE(ARCH_SET_GS_moves_the_gs_base, "arch_prctl(2)")
{
	unsigned long words[2] = { 111, 222 }, seen, base = 0;

	CHECK_OK(syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, words));
	__asm__ volatile("mov %%gs:8, %0" : "=r"(seen));
	CHECK_EQ(seen, 222);
	CHECK_OK(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &base));
	CHECK_EQ(base, (unsigned long)words);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long total;

static void *add_1000(void *unused)
{
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mutex);
		total++;
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

CASE(mutex_keeps_eight_threads_apart, "pthreads(7)")
{
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, add_1000, NULL), 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(total, 8000);
}

static void *nothing(void *unused)
{
	return unused;
}

CASE(hundred_threads_one_after_the_other, "pthread_create(3)")
{
	pthread_t thread;

	for (int i = 0; i < 100; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, nothing, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}

static void *fork_in_thread(void *unused)
{
	pid_t child = fork_child();

	if (child == 0)
		_exit(syscall(SYS_gettid) == getpid() ? 0 : 1);
	CHECK_EXITS(child, 0);
	return unused;
}

CASE(fork_in_a_thread_makes_a_process_of_one_thread, "fork(2)")
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, fork_in_thread, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

CASE(vector_registers_survive_other_threads, "pthreads(7)")
{
	pthread_t thread;
	double value = 1.5, after;

	__asm__ volatile("movsd %0, %%xmm9" : : "m"(value) : "xmm9");
	CHECK_EQ(syscall(SYS_getppid), getppid());
	__asm__ volatile("movsd %0, %%xmm9" : : "m"(value) : "xmm9");
	for (int i = 0; i < 20; i++)
		syscall(SYS_sched_yield);
	__asm__ volatile("movsd %%xmm9, %0" : "=m"(after));
	CHECK(after == 1.5);
	CHECK_EQ(pthread_create(&thread, NULL, nothing, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
