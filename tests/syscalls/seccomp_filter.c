/* Filters on calls: which programs are taken, what each action does, who inherits them. */
#include "harness.h"
#include "fixtures.h"
#include "filters.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <ucontext.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

static struct sock_filter allow_all[] = { RETURN(SECCOMP_RET_ALLOW) };

static int status_of(const char *field)
{
	const char *found = strstr(text_of("/proc/thread-self/status"), field);

	CHECK(found);
	return atoi(found + strlen(field));
}

CASE(ERRNO_is_what_the_call_fails_with, "seccomp(2)")
{
	no_new_privs();
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_ERRNO | ENOTBLK, 0));
	CHECK_ERR(syscall(SYS_mkdir, "x", 0700), ENOTBLK);
	CHECK_OK(syscall(SYS_mkdirat, AT_FDCWD, "x", 0700));
}

CASE(ERRNO_zero_is_success_and_numbers_are_cut_at_4095, "seccomp(2)")
{
	no_new_privs();
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_ERRNO, 0));
	CHECK_EQ(syscall(SYS_mkdir, "x", 0700), 0);
	CHECK_ERR(rmdir("x"), ENOENT);
	CHECK_OK(filter_call(SYS_rmdir, SECCOMP_RET_ERRNO | 0xffff, 0));
	CHECK_ERR(syscall(SYS_rmdir, "x"), 4095);
}

/* Calls that a sandbox may be quick to answer are filtered all the same. */
CASE(calls_that_are_cheap_are_filtered_too, "seccomp(2)")
{
	static const int numbers[] = {
		SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
		SYS_sched_yield, SYS_clock_gettime, SYS_rt_sigprocmask, SYS_read, SYS_lseek, SYS_fstat, SYS_dup,
	};
	char buffer[256] = "";

	no_new_privs();
	for (int i = 0; i < (int)(sizeof(numbers) / sizeof(*numbers)); i++) {
		for (int j = 0; j < 50; j++) {
			syscall(numbers[i], 0, buffer, 0L, 8);
			getpid();
			getppid();
		}
		CHECK_OK(filter_call(numbers[i], SECCOMP_RET_ERRNO | (100 + i), 0));
		for (int j = 0; j < 20; j++)
			CHECK_ERR(syscall(numbers[i], 0, buffer, 0L, 8), 100 + i);
		if (numbers[i] == SYS_getpid)
			CHECK_EQ(getpid(), -100);
	}
}

static volatile int in_loop;

static void *call_in_a_loop(void *unused)
{
	(void)unused;
	for (int i = 0; i < 10000; i++)
		getppid();
	__atomic_store_n(&in_loop, 1, __ATOMIC_SEQ_CST);
	while (syscall(SYS_getppid) != -1 || errno != EUCLEAN)
		;
	CHECK_EQ(getppid(), -EUCLEAN);
	return NULL;
}

CASE(TSYNC_filters_the_calls_of_running_threads, "seccomp(2)")
{
	pthread_t thread;

	no_new_privs();
	CHECK_EQ(pthread_create(&thread, NULL, call_in_a_loop, NULL), 0);
	while (!__atomic_load_n(&in_loop, __ATOMIC_SEQ_CST))
		usleep(1000);
	CHECK_EQ(filter_call(SYS_getppid, SECCOMP_RET_ERRNO | EUCLEAN, SECCOMP_FILTER_FLAG_TSYNC), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static pid_t filtered_thread;

static void *filter_alone(void *pipes)
{
	filtered_thread = gettid();
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_ERRNO | EUCLEAN, 0));
	tell(((int *)pipes)[1]);
	for (;;)
		pause();
	return NULL;
}

CASE(TSYNC_names_the_thread_that_has_other_filters, "seccomp(2)")
{
	pthread_t thread;
	int pipes[2];

	CHECK_OK(pipe(pipes));
	no_new_privs();
	CHECK_EQ(pthread_create(&thread, NULL, filter_alone, pipes), 0);
	await(pipes[0]);
	CHECK_EQ(load(allow_all, sizeof(allow_all), SECCOMP_FILTER_FLAG_TSYNC), filtered_thread);
	CHECK_ERR(load(allow_all, sizeof(allow_all), SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH),
		  ESRCH);
	CHECK_EQ(status_of("Seccomp:"), 0);
	CHECK_OK(mkdir("x", 0700));
}

static volatile sig_atomic_t trapped_call, trapped_errno, trapped_code, trapped_rax;
static volatile unsigned trapped_arch;
static void *volatile trapped_at;

static void on_trap(int number, siginfo_t *info, void *context)
{
	ucontext_t *ucontext = context;

	(void)number;
	trapped_call = info->si_syscall;
	trapped_errno = info->si_errno;
	trapped_code = info->si_code;
	trapped_arch = info->si_arch;
	trapped_at = info->si_call_addr;
	trapped_rax = ucontext->uc_mcontext.gregs[REG_RAX];
	if ((void *)ucontext->uc_mcontext.gregs[REG_RIP] != trapped_at)
		trapped_at = NULL;
	ucontext->uc_mcontext.gregs[REG_RAX] = 1234;
}

CASE(TRAP_sends_SIGSYS_whose_handler_may_set_the_result, "seccomp(2)")
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGSYS, &action, NULL));
	no_new_privs();
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_TRAP | 77, 0));
	CHECK_EQ(syscall(SYS_mkdir, "x", 0700), 1234);
	CHECK_EQ(trapped_call, SYS_mkdir);
	CHECK_EQ(trapped_errno, 77);
	CHECK_EQ(trapped_code, SYS_SECCOMP);
	CHECK_EQ(trapped_arch, AUDIT_ARCH_X86_64);
	CHECK_EQ(trapped_rax, SYS_mkdir);
	CHECK(trapped_at);
}

CASE(TRAP_without_a_handler_kills, "seccomp(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		no_new_privs();
		signal(SIGSYS, SIG_IGN);
		filter_call(SYS_mkdir, SECCOMP_RET_TRAP, 0);
		mkdir("x", 0700);
		_exit(0);
	}
	CHECK_KILLED(child, SIGSYS);
}

static void *make_directory(void *unused)
{
	(void)unused;
	syscall(SYS_mkdir, "x", 0700);
	_exit(1);
}

static void *linger(void *unused)
{
	for (;;)
		pause();
	return unused;
}

CASE(KILL_PROCESS_kills_every_thread, "seccomp(2)")
{
	pthread_t thread;
	pid_t child = fork_child();

	if (child == 0) {
		no_new_privs();
		pthread_create(&thread, NULL, linger, NULL);
		filter_call(SYS_mkdir, SECCOMP_RET_KILL_PROCESS, 0);
		signal(SIGSYS, count_signal);
		mkdir("x", 0700);
		_exit(0);
	}
	CHECK_KILLED(child, SIGSYS);
}

CASE(KILL_THREAD_kills_one_thread_only, "seccomp(2)")
{
	pthread_t thread;
	pid_t child = fork_child();

	if (child == 0) {
		no_new_privs();
		filter_call(SYS_mkdir, SECCOMP_RET_KILL_THREAD, 0);
		pthread_create(&thread, NULL, make_directory, NULL);
		pthread_join(thread, NULL);
		_exit(access("x", F_OK) == -1 ? 5 : 6);
	}
	CHECK_EXITS(child, 5);
}

CASE(KILL_THREAD_of_the_only_thread_is_the_end_of_the_process, "seccomp(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		no_new_privs();
		filter_call(SYS_mkdir, SECCOMP_RET_KILL_THREAD, 0);
		make_directory(NULL);
	}
	CHECK_KILLED(child, SIGSYS);
}

CASE(an_action_that_is_not_known_kills, "seccomp(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		no_new_privs();
		filter_call(SYS_mkdir, 0x00020000, 0);
		make_directory(NULL);
	}
	CHECK_KILLED(child, SIGSYS);
}

CASE(TRACE_without_a_tracer_and_USER_NOTIF_without_a_listener_are_ENOSYS, "seccomp(2)")
{
	no_new_privs();
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_TRACE, 0));
	CHECK_OK(filter_call(SYS_rmdir, SECCOMP_RET_USER_NOTIF, 0));
	CHECK_ERR(mkdir("x", 0700), ENOSYS);
	CHECK_ERR(rmdir("x"), ENOSYS);
}

CASE(LOG_lets_the_call_go_on, "seccomp(2)")
{
	no_new_privs();
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_LOG, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW));
	CHECK_OK(mkdir("x", 0700));
}

CASE(the_strictest_of_all_filters_wins_and_of_equals_the_latest, "seccomp(2)")
{
	no_new_privs();
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_ERRNO | 50, 0));
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_ERRNO | 51, 0));
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_LOG, 0));
	CHECK_ERR(mkdir("x", 0700), 51);
	CHECK_EQ(status_of("Seccomp:"), 2);
	CHECK_EQ(status_of("Seccomp_filters:"), 3);
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), 2);
}

CASE(a_filter_sees_arguments_architecture_and_instruction, "seccomp(2)")
{
	no_new_privs();
	CHECK_OK(load(PROGRAM(FIELD(nr), SKIP_UNLESS(SYS_lseek, 10),
			      FIELD(arch), SKIP_UNLESS(AUDIT_ARCH_X86_64, 8),
			      FIELD(args[1]), SKIP_UNLESS(0x89abcdef, 6),
			      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + 4),
			      SKIP_UNLESS(0x01234567, 4),
			      FIELD(instruction_pointer),
			      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0),
			      FIELD(args[2]),
			      BPF_STMT(BPF_RET | BPF_A, 0),
			      RETURN(SECCOMP_RET_ALLOW)), 0));
	CHECK_ERR(syscall(SYS_lseek, 99, 0x0123456789abcdefL, SECCOMP_RET_ERRNO | 60), 60);
	CHECK_ERR(syscall(SYS_lseek, 99, 0x0123456789abcdeeL, SECCOMP_RET_ERRNO | 60), EBADF);
}

CASE(arithmetic_and_scratch_memory_work_on_32_bits, "seccomp(2)")
{
	no_new_privs();
	CHECK_OK(load(PROGRAM(FIELD(nr), SKIP_UNLESS(SYS_lseek, 21),
			      BPF_STMT(BPF_LD | BPF_IMM, 7), BPF_STMT(BPF_ST, 3),
			      BPF_STMT(BPF_LDX | BPF_MEM, 3),			    /* X = 7 */
			      BPF_STMT(BPF_LD | BPF_IMM, 100),
			      BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),		    /* 14 */
			      BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3),		    /* 42 */
			      BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 1),		    /* 84 */
			      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),		    /* 21 */
			      BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),		    /* 18 */
			      BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 1),		    /* 19 */
			      BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 60),		    /* -41 */
			      BPF_STMT(BPF_ALU | BPF_NEG, 0),			    /* 41 */
			      BPF_STMT(BPF_MISC | BPF_TAX, 0),
			      BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),		    /* 64 */
			      BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),		    /* 105 */
			      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7f),
			      BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
			      BPF_STMT(BPF_STX, 0), BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0),
			      BPF_STMT(BPF_RET | BPF_A, 0),
			      RETURN(SECCOMP_RET_ALLOW)), 0));
	CHECK_ERR(lseek(99, 0, SEEK_SET), 105);
}

CASE(division_by_zero_ends_the_program_with_0_which_kills, "seccomp(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		no_new_privs();
		load(PROGRAM(FIELD(nr), SKIP_UNLESS(SYS_mkdir, 3),
			     BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
			     RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_ALLOW)), 0);
		make_directory(NULL);
	}
	CHECK_KILLED(child, SIGSYS);
}

#define REFUSED(...) CHECK_ERR(load(PROGRAM(__VA_ARGS__), 0), EINVAL)
#define OK RETURN(SECCOMP_RET_ALLOW)

CASE(malformed_programs_are_EINVAL, "seccomp(2)")
{
	no_new_privs();
	REFUSED(BPF_STMT(BPF_LD | BPF_IMM, 1));
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), OK);
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JA, 0xffffffff, 0, 0), OK);
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), OK);
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), OK);
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), OK);
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), OK);
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0xfffffffc), OK);
	REFUSED(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), OK);
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), OK);
	REFUSED(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), OK);
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL), OK);
	REFUSED(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), OK);
	REFUSED(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), OK);
	REFUSED(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), OK);
	REFUSED(BPF_STMT(BPF_ST, 16), OK);
	REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 16), OK);
	REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 1), OK);
	REFUSED(FIELD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), BPF_STMT(BPF_ST, 1),
		BPF_STMT(BPF_LD | BPF_MEM, 1), OK);
	REFUSED(BPF_STMT(0xffff, 0), OK);
	REFUSED(BPF_STMT(BPF_JMP | 0x50, 0), OK);
	REFUSED(BPF_STMT(BPF_RET | BPF_X, 0));
}

CASE(lengths_of_0_and_beyond_4096_are_EINVAL, "seccomp(2)")
{
	static struct sock_filter code[4097];
	struct sock_fprog program = { .len = 0, .filter = code };

	for (int i = 0; i < 4097; i++)
		code[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	no_new_privs();
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program), EINVAL);
	program.len = 4097;
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program), EINVAL);
	program = (struct sock_fprog){ .len = 1, .filter = NULL };
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program), EINVAL);
	program = (struct sock_fprog){ .len = 4096, .filter = code };
	CHECK_OK(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program));
}

CASE(all_filters_together_are_limited_ENOMEM, "seccomp(2)")
{
	static struct sock_filter code[4096];
	struct sock_fprog program = { .len = 4096, .filter = code };

	for (int i = 0; i < 4096; i++)
		code[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	no_new_privs();
	/* The kernel counts the instructions that it makes of them: 3, and 2 for each return; and 4 a filter. */
	for (int i = 0; i < 3; i++)
		CHECK_OK(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program));
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program), ENOMEM);
	program.len = 4085;
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program), ENOMEM);
	program.len = 4084;
	CHECK_OK(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program));
	program.len = 1;
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program), ENOMEM);
}

/* 3, then: 1, 2 (a jump that must be two), 2 (a number with the sign bit), 1, 5 (a division that may be by zero) ... */
CASE(what_the_kernel_makes_of_each_instruction_counts, "seccomp(2)")
{
	static struct sock_filter code[4096];
	struct sock_fprog program = { .filter = code };
	static const struct sock_filter units[][3] = {
		{ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 1), BPF_STMT(BPF_MISC | BPF_TAX, 0),
		  BPF_STMT(BPF_MISC | BPF_TXA, 0) },
		{ BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x80000000, 0, 1), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		  BPF_STMT(BPF_LD | BPF_IMM, 0) },
		{ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		  BPF_STMT(BPF_ALU | BPF_NEG, 0) },
	};
	static const int counts[] = { 4, 8, 4 };

	no_new_privs();
	for (int kind = 0; kind < 3; kind++) {
		int room = 32768, child = fork_child();

		if (child) {
			CHECK_EXITS(child, 0);
			continue;
		}
		for (int i = 0; i < 4095; i++)
			code[i] = units[kind][i % 3];
		code[4095] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
		program.len = 4096;
		for (; room >= 5 + counts[kind] * 1365; room -= 9 + counts[kind] * 1365)
			CHECK_OK(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program));
		CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program), ENOMEM);
		int left = (room - 5) / counts[kind];
		for (int more = 1; more >= 0; more--) {
			code[3 * (left + more)] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
			program.len = 3 * (left + more) + 1;
			if (more)
				CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program), ENOMEM);
			else
				CHECK_OK(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program));
		}
		_exit(0);
	}
}

CASE(operations_flags_and_pointers_are_checked, "seccomp(2)")
{
	struct sock_fprog bad = { .len = 1, .filter = unmapped() };
	unsigned action = SECCOMP_RET_ERRNO;

	no_new_privs();
	CHECK_ERR(seccomp(99, 0, NULL), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0x40, NULL), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER, NULL),
		  EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0x20, NULL), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &bad), EFAULT);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_STRICT, 0, &bad), EINVAL);
	CHECK_OK(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action));
	CHECK_ERR(seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &action), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
	action = 0x00020000;
	CHECK_ERR(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
	CHECK_ERR(prctl(PR_SET_SECCOMP, 3, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0, 0, 0), EFAULT);
}

CASE(GET_NOTIF_SIZES_tells_the_structs, "seccomp(2)")
{
	struct seccomp_notif_sizes sizes;

	CHECK_OK(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
	CHECK_EQ(sizes.seccomp_notif, sizeof(struct seccomp_notif));
	CHECK_EQ(sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp));
	CHECK_EQ(sizes.seccomp_data, sizeof(struct seccomp_data));
	CHECK_ERR(seccomp(SECCOMP_GET_NOTIF_SIZES, 1, &sizes), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, NULL), EFAULT);
}

CASE(a_filter_needs_no_new_privs_or_CAP_SYS_ADMIN, "seccomp(2)")
{
	if (geteuid() == 0) {
		CHECK_OK(load(allow_all, sizeof(allow_all), 0));
		CHECK_OK(syscall(SYS_setresuid, 65534, 65534, 65534));
	}
	CHECK_ERR(load(allow_all, sizeof(allow_all), 0), EACCES);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &(struct sock_fprog){ 1, NULL }), EACCES);
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){ 1, allow_all }, 0, 0), EACCES);
	no_new_privs();
	CHECK_OK(load(allow_all, sizeof(allow_all), 0));
	CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){ 1, allow_all }, 0, 0));
}

CASE(children_threads_and_programs_inherit_filters, "seccomp(2)")
{
	char *argv[] = { "sh", "-c", "mkdir x 2>/dev/null && exit 1; grep -q '^Seccomp:\t2' /proc/self/status", NULL };
	pid_t child;

	no_new_privs();
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_ERRNO | EPERM, 0));
	CHECK_OK(filter_call(SYS_mkdirat, SECCOMP_RET_ERRNO | EPERM, 0));
	child = fork_child();
	if (child == 0) {
		if (mkdir("x", 0700) == 0 || errno != EPERM)
			_exit(9);
		execv("/bin/sh", argv);
		_exit(8);
	}
	CHECK_EXITS(child, 0);
}

CASE(strict_mode_allows_four_calls, "seccomp(2)")
{
	pid_t child = fork_child();
	int ends[2];

	if (child == 0) {
		CHECK_OK(pipe(ends));
		CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0));
		tell(ends[1]);
		await(ends[0]);
		syscall(SYS_exit, 7);
	}
	CHECK_EXITS(child, 7);
	child = fork_child();
	if (child == 0) {
		CHECK_OK(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
		syscall(SYS_getpid);
		syscall(SYS_exit, 7);
	}
	CHECK_KILLED(child, SIGKILL);
}

CASE(strict_mode_after_a_filter_is_EINVAL, "seccomp(2)")
{
	no_new_privs();
	CHECK_OK(load(allow_all, sizeof(allow_all), 0));
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0), EINVAL);
}

CASE(a_blocked_call_that_was_allowed_is_restarted_under_the_filter, "seccomp(2)")
{
	int ends[2];
	char byte;
	pid_t child;

	CHECK_OK(pipe(ends));
	no_new_privs();
	CHECK_OK(filter_call(SYS_mkdir, SECCOMP_RET_ERRNO | EPERM, 0));
	child = fork_child();
	if (child == 0) {
		usleep(60000);
		tell(ends[1]);
		_exit(0);
	}
	alarm_often(count_signal, SA_RESTART);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	still();
	CHECK(signals_seen > 0);
	CHECK_EXITS(child, 0);
}
