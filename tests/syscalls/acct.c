/* acct(2) and the records of acct(5). Everything happens in a PID namespace and on a tmpfs of the case's own, so
 * that nobody else is accounted for. */
#include "harness.h"
#include "fixtures.h"

#include <linux/acct.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#define AFORK 0x01
#define ASU 0x02
#define ACORE 0x08
#define AXSIG 0x10

static struct acct_v3 records[64];

static int account(const char *name)
{
	return (int)syscall(SYS_acct, name);
}

static size_t read_records(const char *name)
{
	int fd = CHECK_OK(open(name, O_RDONLY));
	ssize_t length = CHECK_OK(read(fd, records, sizeof(records)));

	CHECK_OK(close(fd));
	CHECK_EQ(length % sizeof(*records), 0);
	return (size_t)length / sizeof(*records);
}

/* Runs the body as process 1 of a new PID namespace, on a new tmpfs as working directory; later, as the parent,
 * `after` on the same. */
static void isolated(void (*body)(void), void (*after)(void))
{
	pid_t outer = fork_child(), init;
	int status;

	if (outer) {
		int result = wait_status(outer);

		if (WIFEXITED(result) && WEXITSTATUS(result) == EXIT_SKIPPED)
			_exit(EXIT_SKIPPED);
		CHECK(WIFEXITED(result) && WEXITSTATUS(result) == 0);
		return;
	}
	if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0)
		SKIP("new namespaces: %s", errno_name(errno));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mount("accounts", ".", "tmpfs", 0, "size=1m"));
	CHECK_OK(chdir(realpath(".", NULL)));
	init = fork_child();
	if (!init) {
		put_file("f", "");
		body();
		_exit(0);
	}
	CHECK_EQ(waitpid(init, &status, 0), init);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (after)
		after();
	_exit(0);
}

static pid_t child_that(void (*act)(void))
{
	pid_t child = fork_child();

	if (!child) {
		act();
		_exit(0);
	}
	wait_status(child);
	return child;
}

static void nothing(void)
{
}

/* The record of the process in "f". */
static struct acct_v3 record_of(pid_t pid)
{
	size_t count = read_records("f");

	for (size_t i = 0; i < count; i++)
		if (records[i].ac_pid == (unsigned)pid)
			return records[i];
	FAIL("no record of %d among %zu", pid, count);
}

static void errors(void)
{
	char name[64], *long_name = memset(calloc(5000, 1), 'a', 4999);
	int ends[2], fd;

	CHECK_ERR(account("absent"), ENOENT);
	CHECK_ERR(account(""), ENOENT);
	CHECK_ERR(account("f/g"), ENOTDIR);
	CHECK_ERR(account("."), EISDIR);
	CHECK_ERR(account(long_name), ENAMETOOLONG);
	CHECK_ERR(account(unmapped()), EFAULT);
	CHECK_OK(symlink("loop", "loop"));
	CHECK_ERR(account("loop"), ELOOP);
	CHECK_ERR(account("/dev/null"), EACCES);
	CHECK_ERR(account("/proc/sys/kernel/hostname"), EINVAL);
	fd = CHECK_OK(memfd_create("m", 0));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK_ERR(account(name), EINVAL); /* of a file system that is mounted nowhere */
	CHECK_OK(pipe(ends));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[1]);
	CHECK_ERR(account(name), EACCES);
	CHECK_OK(mkfifo("fifo", 0600));
	fd = CHECK_OK(open("fifo", O_RDWR));
	CHECK_ERR(account("fifo"), EACCES);
	CHECK_OK(mkdir("readonly", 0700));
	CHECK_OK(mount("more", "readonly", "tmpfs", 0, NULL));
	put_file("readonly/f", "");
	CHECK_OK(mount(NULL, "readonly", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERR(account("readonly/f"), EROFS);
	CHECK_OK(account(NULL)); /* it is off anyway */
	CHECK_EQ(read_records("f"), 0);
}

CASE(acct_errors, "acct(2)")
{
	isolated(errors, NULL);
}

static void execute_file(void)
{
	CHECK_OK(account("f"));
	CHECK_OK(chmod("f", 0700));
	CHECK_ERR(execl("./f", "f", NULL), ETXTBSY);
	CHECK_OK(account(NULL));
	CHECK_ERR(execl("./f", "f", NULL), ENOEXEC);
}

CASE(the_file_is_open_for_writing, "acct(2), execve(2)")
{
	isolated(execute_file, NULL);
}

static void no_privilege(void)
{
	CHECK_OK(account("f"));
	CHECK_OK(setuid(65534));
	CHECK_ERR(account("f"), EPERM);
	CHECK_ERR(account(NULL), EPERM);
}

CASE(turning_it_on_and_off_needs_CAP_SYS_PACCT, "acct(2)")
{
	isolated(no_privilege, NULL);
}

static void exit_7(void)
{
	CHECK_OK(setgid(4321));
	CHECK_OK(setuid(1234));
	CHECK_OK(prctl(PR_SET_NAME, "a-name"));
	usleep(30000);
	_exit(7);
}

static void one_process(void)
{
	struct acct_v3 record;
	long long before;
	float elapsed;
	pid_t child;

	child_that(nothing);
	CHECK_OK(account("f"));
	CHECK_EQ(read_records("f"), 0);
	before = time(NULL);
	child = child_that(exit_7);
	record = record_of(child);
	CHECK_EQ(read_records("f"), 1);
	CHECK_EQ(record.ac_version, 3);
	CHECK_EQ(record.ac_flag, AFORK | ASU);
	CHECK_EQ(record.ac_exitcode, 7 << 8);
	CHECK_EQ(record.ac_uid, 1234);
	CHECK_EQ(record.ac_gid, 4321);
	CHECK_EQ(record.ac_ppid, 1);
	CHECK_EQ(record.ac_tty, 0);
	CHECK_STREQ(record.ac_comm, "a-name");
	CHECK(llabs((long long)record.ac_btime - before) <= 2);
	memcpy(&elapsed, &record.ac_etime, sizeof(elapsed));
	CHECK(elapsed >= 3 && elapsed < 3000 && elapsed == (float)(int)elapsed);
	CHECK(record.ac_mem > 100);
	CHECK_EQ(record.ac_rw + record.ac_swaps, 0);
}

CASE(each_process_that_ends_leaves_a_record, "acct(5)")
{
	isolated(one_process, NULL);
}

static void be_killed(void)
{
	raise(SIGKILL);
}

static void crash(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	raise(SIGSEGV);
}

static void crash_in_private(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	raise(SIGSEGV);
}

static void execute(void)
{
	execl("/bin/true", "true", NULL);
}

static void execute_as_user(void)
{
	CHECK_OK(setuid(65534));
	execl("/bin/true", "true", NULL);
}

static void fork_after_privilege(void)
{
	CHECK_OK(sethostname("x", 1) == 0 || errno == EPERM ? 0 : -1);
	child_that(nothing);
}

static void *wait_for_ever(void *nothing)
{
	pause();
	return nothing;
}

static void leave_a_thread(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, wait_for_ever, NULL), 0);
	_exit(3);
}

static void *exit_later(void *nothing)
{
	usleep(5000);
	syscall(SYS_exit, 9);
	return nothing;
}

static void leader_goes_first(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, exit_later, NULL), 0);
	syscall(SYS_exit, 5);
}

static void write_elsewhere(void)
{
	int fd = open("locked", O_WRONLY); /* which its mode does not let the owner do */

	CHECK(fd >= 0);
}

static void flags(void)
{
	struct acct_v3 record;

	CHECK_OK(close(CHECK_OK(open("locked", O_CREAT | O_RDONLY, 0))));
	CHECK_OK(account("f"));
	record = record_of(child_that(nothing));
	CHECK_EQ(record.ac_flag, AFORK);
	record = record_of(child_that(be_killed));
	CHECK_EQ(record.ac_flag, AFORK | AXSIG);
	CHECK_EQ(record.ac_exitcode, SIGKILL);
	record = record_of(child_that(crash));
	CHECK_EQ(record.ac_flag, AFORK | AXSIG | ACORE);
	CHECK_EQ(record.ac_exitcode & 0x7f, SIGSEGV);
	record = record_of(child_that(crash_in_private));
	CHECK_EQ(record.ac_flag, AFORK | AXSIG);
	record = record_of(child_that(execute));
	CHECK_EQ(record.ac_flag, 0);
	CHECK_STREQ(record.ac_comm, "true");
	record = record_of(child_that(execute_as_user));
	CHECK_EQ(record.ac_flag, ASU);
	record = record_of(child_that(write_elsewhere));
	CHECK_EQ(record.ac_flag, AFORK | ASU);
	record = record_of(child_that(leave_a_thread));
	CHECK_EQ(record.ac_flag, AFORK | AXSIG); /* the thread was killed */
	CHECK_EQ(record.ac_exitcode, 3 << 8);
	record = record_of(child_that(leader_goes_first));
	CHECK_EQ(record.ac_flag, AFORK);
	CHECK_EQ(record.ac_exitcode, 5 << 8);
	record = record_of(child_that(fork_after_privilege));
	CHECK_EQ(record.ac_flag, AFORK | ASU);
	record = record_of((pid_t)record.ac_pid + 1);
	CHECK_EQ(record.ac_flag, AFORK); /* a child starts anew */
}

CASE(the_flags_tell_how_it_lived_and_died, "acct(5)")
{
	isolated(flags, NULL);
}

/* A comp_t: 3 bits of exponent to the base 8, 13 of fraction. */
static long value_of(unsigned short number)
{
	return (long)(number & 0x1fff) << 3 * (number >> 13);
}

static void work(void)
{
	char *pages = CHECK_OK(mmap(NULL, 40 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct rusage used = { 0 };

	for (int i = 0; i < 500; i++)
		pages[i * PAGE] = 1;
	while (used.ru_utime.tv_sec * 1000000 + used.ru_utime.tv_usec < 100000)
		CHECK_OK(getrusage(RUSAGE_SELF, &used));
}

static void numbers(void)
{
	struct acct_v3 record;

	CHECK_OK(account("f"));
	record = record_of(child_that(work));
	CHECK(value_of(record.ac_mem) >= 40 << 10 && value_of(record.ac_mem) < 400 << 10);
	CHECK(value_of(record.ac_utime) >= 5 && value_of(record.ac_utime) < 3000);
	CHECK(value_of(record.ac_minflt) > 0);
}

CASE(the_short_numbers_count_time_memory_and_faults, "acct(5)")
{
	isolated(numbers, NULL);
}

static void turned_off(void)
{
	CHECK_OK(account("f"));
	child_that(nothing);
	CHECK_OK(account(NULL));
	child_that(nothing);
	CHECK_EQ(read_records("f"), 2);
	CHECK_EQ(records[1].ac_pid, 1); /* who turned it off, as far as it has come */
	CHECK_EQ(records[1].ac_exitcode, 0);
	CHECK_EQ(records[1].ac_mem, 0);
	put_file("g", "");
	CHECK_OK(account("f"));
	CHECK_OK(account("g"));
	CHECK_EQ(read_records("f"), 3);
	child_that(nothing);
	CHECK_EQ(read_records("f"), 3);
	CHECK_EQ(read_records("g"), 1);
}

CASE(who_turns_it_off_leaves_the_last_record, "acct(2)")
{
	isolated(turned_off, NULL);
}

static void renamed(void)
{
	int fd = CHECK_OK(open("f", O_RDONLY));
	struct stat st;

	CHECK_OK(account("f"));
	CHECK_OK(rename("f", "g"));
	child_that(nothing);
	CHECK_EQ(read_records("g"), 1);
	CHECK_OK(unlink("g"));
	child_that(nothing);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 2 * sizeof(*records));
	CHECK_OK(account(NULL));
}

CASE(the_file_stays_open_whatever_its_name, "acct(2)")
{
	isolated(renamed, NULL);
}

static void have_a_limit(void)
{
	struct rlimit little = { 10, 10 };

	CHECK_OK(setrlimit(RLIMIT_FSIZE, &little));
}

static void limits(void)
{
	CHECK_OK(account("f"));
	child_that(nothing);
	CHECK_EQ(record_of(child_that(have_a_limit)).ac_exitcode, 0);
}

CASE(RLIMIT_FSIZE_does_not_apply, "acct(2)")
{
	isolated(limits, NULL);
}

static void fill(void)
{
	static char page[PAGE];
	int fd;

	CHECK_OK(account("f"));
	child_that(nothing); /* takes the page that the file needs */
	CHECK_OK(account(NULL));
	CHECK_EQ(read_records("f"), 2);
	fd = CHECK_OK(open("rest", O_WRONLY | O_CREAT, 0600));
	while (write(fd, page, sizeof(page)) == sizeof(page))
		;
	CHECK_OK(account("f"));
	child_that(nothing);
	CHECK_EQ(read_records("f"), 2);
	CHECK_OK(ftruncate(fd, 0));
	child_that(nothing);
	CHECK_EQ(read_records("f"), 2); /* it looks again after half a minute */
	CHECK_OK(account("f"));
	child_that(nothing);
	CHECK_EQ(read_records("f"), 3);
}

CASE(it_pauses_while_the_file_system_is_full, "acct(2), proc_sys_kernel(5)")
{
	isolated(fill, NULL);
}

static void inner_init(void)
{
	child_that(nothing);
	_exit(4);
}

static void with_inner(void)
{
	pid_t init;

	CHECK_OK(unshare(CLONE_NEWPID));
	init = fork_child();
	if (!init)
		inner_init();
	CHECK_EXITS(init, 4);
}

static void nested(void)
{
	size_t count;

	CHECK_OK(account("f"));
	child_that(with_inner);
	count = read_records("f");
	CHECK_EQ(count, 3);
	CHECK_EQ(records[0].ac_ppid, records[1].ac_pid); /* by the numbers of the file's namespace */
	CHECK_EQ(records[1].ac_ppid, records[2].ac_pid);
	CHECK_EQ(records[1].ac_exitcode, 4 << 8);
	CHECK_EQ(records[2].ac_ppid, 1);
}

CASE(inner_namespaces_are_accounted_for_outside, "acct(2), pid_namespaces(7)")
{
	isolated(nested, NULL);
}

static void die_with_a_child(void)
{
	CHECK_OK(account("f"));
	if (!fork_child()) {
		pause();
		_exit(0);
	}
}

static void after_the_end(void)
{
	CHECK_EQ(read_records("f"), 3);
	CHECK_EQ(records[0].ac_pid, 1);
	CHECK_EQ(records[0].ac_ppid, 0);
	CHECK_EQ(records[1].ac_pid, 2);
	CHECK_EQ(records[1].ac_exitcode, SIGKILL);
	CHECK_EQ(records[2].ac_pid, 1); /* when the namespace is gone */
	CHECK_EQ(records[2].ac_exitcode, 0);
}

CASE(it_ends_with_the_namespace, "acct(2), pid_namespaces(7)")
{
	isolated(die_with_a_child, after_the_end);
}

static void make_readonly(void)
{
	CHECK_OK(account("f"));
	child_that(nothing);
	CHECK_OK(mount(NULL, realpath(".", NULL), NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_OK(mount(NULL, realpath(".", NULL), NULL, MS_REMOUNT, NULL));
	child_that(nothing);
	CHECK_EQ(read_records("f"), 2);
	CHECK_EQ(records[1].ac_pid, 1);
}

CASE(making_the_file_system_readonly_turns_it_off, "acct(2), mount(2)")
{
	isolated(make_readonly, NULL);
}

static void unmount(void)
{
	int fd;
	struct stat st;

	CHECK_OK(mkdir("other", 0700));
	CHECK_OK(mkdir("same", 0700));
	CHECK_OK(mount("more", "other", "tmpfs", 0, NULL));
	CHECK_OK(mount("other", "same", NULL, MS_BIND, NULL));
	put_file("other/f", "");
	CHECK_OK(account("other/f"));
	CHECK_OK(umount("other")); /* nor does accounting keep it busy */
	child_that(nothing);
	fd = CHECK_OK(open("same/f", O_RDONLY));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, sizeof(*records));
}

CASE(unmounting_turns_it_off, "acct(2), umount(2)")
{
	isolated(unmount, NULL);
}

static void with_terminal(void)
{
	int master = CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY));
	struct acct_v3 record;
	struct stat st;
	char *name;
	pid_t child;

	CHECK_OK(grantpt(master));
	CHECK_OK(unlockpt(master));
	name = ptsname(master);
	CHECK_OK(stat(name, &st));
	CHECK_OK(account("f"));
	child = fork_child();
	if (!child) {
		CHECK_OK(setsid());
		_exit(open(name, O_RDWR) < 0);
	}
	CHECK_EXITS(child, 0);
	record = record_of(child);
	CHECK_EQ(record.ac_tty, major(st.st_rdev) << 8 | minor(st.st_rdev));
}

CASE(the_terminal_is_told_by_its_number, "acct(5)")
{
	isolated(with_terminal, NULL);
}

CASE(the_limits_of_free_space_are_parameters, "proc_sys_kernel(5)")
{
	int suspend, resume, seconds;

	CHECK_EQ(sscanf(text_of("/proc/sys/kernel/acct"), "%d\t%d\t%d\n", &resume, &suspend, &seconds), 3);
	CHECK_EQ(resume, 4);
	CHECK_EQ(suspend, 2);
	CHECK_EQ(seconds, 30);
}
