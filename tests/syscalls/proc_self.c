/* /proc of the process itself: what it says must be true. */
#include "harness.h"
#include "fixtures.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

/* The value after "NAME:" in a file of such lines, as a number of the base. */
static long field(const char *path, const char *name, int base)
{
	char wanted[64];
	const char *found;

	snprintf(wanted, sizeof(wanted), "\n%s:", name);
	found = strstr(text_of(path), wanted);
	CHECK(found != NULL);
	return strtol(found + strlen(wanted), NULL, base);
}

#define MAPS_LINE "%lx-%lx %4s %*x %*s %*d%*[ ]%255[^\n]"

/* The line of /proc/self/maps that covers the address: permissions and path are stored. */
static bool mapping_of(const void *address, char permissions[5], char path[256])
{
	const char *line = text_of("/proc/self/maps");
	unsigned long start, end, wanted = (unsigned long)address;

	for (; *line; line = strchr(line, '\n') + 1) {
		path[0] = '\0';
		CHECK(sscanf(line, MAPS_LINE, &start, &end, permissions, path) >= 3);
		if (start <= wanted && wanted < end)
			return true;
	}
	return false;
}

static void link_of(const char *path, char target[4096])
{
	ssize_t length = CHECK_OK(readlink(path, target, 4095));

	target[length] = '\0';
}

CASE(proc_self_names_the_reader, "proc_self(5)")
{
	char target[4096];

	link_of("/proc/self", target);
	CHECK_EQ(atoi(target), getpid());
}

CASE(status_tells_ids_and_threads, "proc_pid_status(5)")
{
	CHECK_EQ(field("/proc/self/status", "Pid", 10), getpid());
	CHECK_EQ(field("/proc/self/status", "PPid", 10), getppid());
	CHECK_EQ(field("/proc/self/status", "Tgid", 10), getpid());
	CHECK_EQ(field("/proc/self/status", "Uid", 10), getuid());
	CHECK_EQ(field("/proc/self/status", "Gid", 10), getgid());
	CHECK_EQ(field("/proc/self/status", "Threads", 10), 1);
	CHECK(field("/proc/self/status", "VmRSS", 10) > 0);
}

CASE(status_tells_signal_masks, "proc_pid_status(5)")
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
	handle(SIGUSR2, SIG_IGN, 0);
	handle(SIGTERM, count_signal, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(field("/proc/self/status", "SigBlk", 16), 1 << (SIGUSR1 - 1));
	CHECK(field("/proc/self/status", "SigIgn", 16) & (1 << (SIGUSR2 - 1)));
	CHECK_EQ(field("/proc/self/status", "SigCgt", 16) & 0xffff, 1 << (SIGTERM - 1));
}

CASE(stat_has_name_state_and_parent, "proc_pid_stat(5)")
{
	int pid, parent, group, session;
	char state;
	const char *text = text_of("/proc/self/stat");

	CHECK_EQ(sscanf(text, "%d", &pid), 1);
	CHECK_EQ(pid, getpid());
	CHECK(strstr(text, " (proc_self) ") != NULL);
	CHECK_EQ(sscanf(strrchr(text, ')') + 1, " %c %d %d %d", &state, &parent, &group, &session), 4);
	CHECK_EQ(state, 'R');
	CHECK_EQ(parent, getppid());
	CHECK_EQ(group, getpgrp());
	CHECK_EQ(session, getsid(0));
}

CASE(stat_of_a_zombie_has_state_Z, "proc_pid_stat(5)")
{
	siginfo_t info;
	char path[64];
	pid_t child = fork_child();

	if (child == 0)
		_exit(0);
	CHECK_OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	CHECK_EQ(strrchr(text_of(path), ')')[2], 'Z');
	CHECK_EXITS(child, 0);
	CHECK_ERR(open(path, O_RDONLY), ENOENT);
}

CASE(comm_can_be_read_and_set, "proc_pid_comm(5)")
{
	int fd;

	CHECK_STREQ(text_of("/proc/self/comm"), "proc_self\n");
	CHECK_OK(syscall(SYS_prctl, PR_SET_NAME, "renamed", 0, 0, 0));
	CHECK_STREQ(text_of("/proc/self/comm"), "renamed\n");
	fd = CHECK_OK(open("/proc/self/comm", O_WRONLY));
	CHECK_EQ(write(fd, "again", 5), 5);
	CHECK_STREQ(text_of("/proc/self/comm"), "again\n");
}

CASE(cmdline_has_the_arguments_separated_by_nulls, "proc_pid_cmdline(5)")
{
	char *arguments[] = { "sh", "-c", "tr '\\0' : < /proc/$$/cmdline > seen; :", "two words", NULL };
	pid_t child = fork_child();

	if (child == 0) {
		execv("/bin/sh", arguments);
		_exit(126);
	}
	CHECK_EXITS(child, 0);
	CHECK_STREQ(text_of("seen"), "sh:-c:tr '\\0' : < /proc/$$/cmdline > seen; ::two words:");
}

CASE(environ_has_the_environment_of_exec, "proc_pid_environ(5)")
{
	char *arguments[] = { "sh", "-c", "tr '\\0' : < /proc/$$/environ > seen; :", NULL };
	char *environment[] = { "PATH=/usr/bin:/bin", "COLOUR=green", NULL };
	pid_t child = fork_child();

	if (child == 0) {
		execve("/bin/sh", arguments, environment);
		_exit(126);
	}
	CHECK_EXITS(child, 0);
	CHECK_STREQ(text_of("seen"), "PATH=/usr/bin:/bin:COLOUR=green:");
}

CASE(exe_cwd_and_root_are_links, "proc_pid_exe(5)")
{
	char target[4096], here[4096];

	link_of("/proc/self/exe", target);
	CHECK_STREQ(strrchr(target, '/'), "/proc_self");
	link_of("/proc/self/cwd", target);
	CHECK(getcwd(here, sizeof(here)));
	CHECK_STREQ(target, here);
	link_of("/proc/self/root", target);
	CHECK_STREQ(target, "/");
}

CASE(fd_lists_the_open_descriptors_as_links, "proc_pid_fd(5)")
{
	char target[4096], here[4096], path[64];
	int fd = make_file("file", ""), ends[2];

	CHECK_OK(pipe(ends));
	CHECK(getcwd(here, sizeof(here)));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	link_of(path, target);
	CHECK(strncmp(target, here, strlen(here)) == 0);
	CHECK_STREQ(target + strlen(here), "/file");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	link_of(path, target);
	CHECK(strncmp(target, "pipe:[", 6) == 0);
	CHECK_OK(close(fd));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERR(readlink(path, target, sizeof(target)), ENOENT);
}

CASE(files_that_are_not_stored_hold_no_blocks, "stat(2)")
{
	const char *names[] = {"/proc/self", "/proc/self/fd/0", "/proc/self/exe", "/proc/self/status",
			       "/proc/sys/kernel/ostype", "/sys/kernel/mm/transparent_hugepage/enabled",
			       "/dev/null", "link"};
	struct stat st;

	CHECK_OK(symlink("a target", "link"));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		CHECK_OK(lstat(names[i], &st));
		CHECK_EQ(st.st_blocks, 0);
	}
}

CASE(link_of_an_unlinked_file_says_deleted, "proc_pid_fd(5)")
{
	char target[4096], path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", make_file("file", ""));
	CHECK_OK(unlink("file"));
	link_of(path, target);
	CHECK_STREQ(strrchr(target, '/'), "/file (deleted)");
}

CASE(opening_a_descriptor_link_opens_the_file_anew, "proc_pid_fd(5)")
{
	char path[64];
	int fd = make_file("file", "contents"), again;

	CHECK_OK(lseek(fd, 3, SEEK_SET));
	CHECK_OK(unlink("file"));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = CHECK_OK(open(path, O_RDONLY));
	CHECK_EQ(lseek(again, 0, SEEK_CUR), 0);
	CHECK_STREQ(text_of(path), "contents");
}

CASE(maps_shows_what_mmap_made, "proc_pid_maps(5)")
{
	char permissions[5], path[256], *start = map_pages(4, MAP_PRIVATE);
	int fd = make_file("mapped", "x");
	void *file = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));

	CHECK_OK(mprotect(start + PAGE, PAGE, PROT_READ | PROT_EXEC));
	CHECK_OK(munmap(start + 2 * PAGE, PAGE));
	CHECK(mapping_of(start, permissions, path));
	CHECK_STREQ(permissions, "rw-p");
	CHECK(mapping_of(start + PAGE, permissions, path));
	CHECK_STREQ(permissions, "r-xp");
	CHECK(!mapping_of(start + 2 * PAGE, permissions, path));
	CHECK(mapping_of(file, permissions, path));
	CHECK_STREQ(permissions, "r--s");
	CHECK_STREQ(strrchr(path, '/'), "/mapped");
}

CASE(maps_names_stack_heap_vdso_and_program, "proc_pid_maps(5)")
{
	char permissions[5], path[256];

	CHECK(mapping_of(permissions, permissions, path));
	CHECK_STREQ(path, "[stack]");
	CHECK(mapping_of((void *)mapping_of, permissions, path));
	CHECK_STREQ(permissions, "r-xp");
	CHECK_STREQ(strrchr(path, '/'), "/proc_self");
	CHECK(strstr(text_of("/proc/self/maps"), "[heap]") != NULL);
	CHECK(strstr(text_of("/proc/self/maps"), "[vdso]") != NULL);
}

static void *count_entries(void *count)
{
	DIR *directory = opendir("/proc/self/task");

	while (readdir(directory))
		++*(int *)count;
	closedir(directory);
	return NULL;
}

CASE(task_lists_the_threads, "proc_pid_task(5)")
{
	pthread_t thread;
	int entries = 0;

	CHECK_EQ(pthread_create(&thread, NULL, count_entries, &entries), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(entries, 4);
}

CASE(files_of_proc_refuse_creation_and_removal, "proc(5)")
{
	CHECK_ERR(open("/proc/self/new", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK_ERR(mkdir("/proc/new", 0700), ENOENT);
	CHECK_ERR(unlink("/proc/self/stat"), EPERM);
	CHECK_ERR(open("/proc/0x3fffffff", O_RDONLY), ENOENT);
}

CASE(general_files_have_their_form, "proc(5)")
{
	double up, idle;
	long total;

	CHECK_EQ(sscanf(text_of("/proc/uptime"), "%lf %lf", &up, &idle), 2);
	CHECK(up > 0);
	CHECK_EQ(sscanf(text_of("/proc/meminfo"), "MemTotal: %ld kB", &total), 1);
	CHECK(total > 1024);
	CHECK(strncmp(text_of("/proc/version"), "Linux version ", 14) == 0);
	CHECK(strncmp(text_of("/proc/stat"), "cpu  ", 5) == 0);
	CHECK(strstr(text_of("/proc/filesystems"), "\tproc\n") != NULL);
	CHECK(strstr(text_of("/proc/self/mounts"), " / ") != NULL);
	CHECK(strstr(text_of("/proc/self/mountinfo"), " / ") != NULL);
}

CASE(arguments_that_another_process_has_unmapped_can_be_asked_for, "proc(5)")
{
	char path[64], text[4096], *page = (char *)((unsigned long)program_invocation_name & -PAGE);
	pid_t child = fork_child();
	int fd;

	if (child == 0) {
		/* Something that grows downwards lies above the hole now. */
		mmap(page + PAGE, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
		munmap(page, PAGE);
		for (;;)
			;
	}
	snprintf(path, sizeof(path), "/proc/%d/cmdline", child);
	for (int i = 0; i < 50; i++) {
		usleep(1000);
		fd = CHECK_OK(open(path, O_RDONLY));
		CHECK_OK(read(fd, text, sizeof(text)));
		CHECK_OK(close(fd));
	}
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

CASE(coredump_filter_is_set_in_9_bits_and_inherited, "core(5)")
{
	int fd = CHECK_OK(open("/proc/self/coredump_filter", O_WRONLY));
	pid_t child;

	CHECK_EQ(write(fd, "0xffff", 6), 6);
	CHECK_STREQ(text_of("/proc/self/coredump_filter"), "000001ff\n");
	CHECK_EQ(write(fd, "010\n", 4), 4);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
	child = fork_child();
	if (child == 0)
		_exit(strcmp(text_of("/proc/self/coredump_filter"), "00000008\n") != 0);
	CHECK_EXITS(child, 0);
}

CASE(a_process_may_use_its_own_fd_directory_even_when_that_is_roots, "proc(5)")
{
	char path[64], target[64];
	struct stat found;
	pid_t child;
	DIR *directory;

	NEEDS_ROOT();
	child = fork_child();
	if (child == 0) {
		int fd = CHECK_OK(open("/", O_RDONLY | O_DIRECTORY));

		CHECK_OK(setresgid(1, 1, 1));
		CHECK_OK(setresuid(1, 1, 1)); /* from now on it isn't dumpable */
		CHECK_OK(stat("/proc/self/fd", &found));
		CHECK_EQ(found.st_uid, 0);
		CHECK_EQ(found.st_mode & 0777, 0500);
		directory = opendir("/proc/self/fd");
		CHECK(directory != NULL);
		CHECK(readdir(directory) != NULL);
		closedir(directory);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		CHECK_EQ(readlink(path, target, sizeof(target)), 1);
		CHECK_OK(stat(path, &found));
		CHECK_OK(access("/proc/self/fd", R_OK | X_OK));
		snprintf(path, sizeof(path), "/proc/%d/fd", getppid());
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(fdinfo_is_closed_to_who_may_not_inspect_the_process, "proc(5)")
{
	struct stat found;
	char path[64];
	pid_t child;

	NEEDS_ROOT();
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setresgid(1, 1, 1));
		CHECK_OK(setresuid(1, 1, 1));
		CHECK_EQ(close(CHECK_OK(open("/proc/self/fdinfo", O_RDONLY))), 0);
		snprintf(path, sizeof(path), "/proc/%d/fdinfo", getppid());
		CHECK_OK(stat(path, &found));
		CHECK_EQ(found.st_mode & 0777, 0555);
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		CHECK_ERR(access(path, X_OK), EACCES);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

struct counts {
	long long rchar, wchar, syscr, syscw;
};

/* What /proc/self/io, or another such file, says; reading it counts only afterwards, in one call. */
static struct counts io_counts(const char *path, long *length)
{
	struct counts counts;
	char text[512];
	int fd = CHECK_OK(open(path, O_RDONLY));

	*length = CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[*length] = 0;
	CHECK_OK(close(fd));
	CHECK_EQ(sscanf(text, "rchar: %lld\nwchar: %lld\nsyscr: %lld\nsyscw: %lld\nread_bytes: %*d\n", &counts.rchar,
			&counts.wchar, &counts.syscr, &counts.syscw), 4);
	return counts;
}

static void read_and_write(void)
{
	char buffer[3000];
	struct iovec two[2] = { { buffer, 100 }, { buffer, 23 } };
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600)), other = CHECK_OK(open("g", O_RDWR | O_CREAT, 0600));
	int ends[2];

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	CHECK_EQ(write(fd, buffer, 3000), 3000);
	CHECK_EQ(pwrite(fd, buffer, 10, 0), 10);
	CHECK_EQ(writev(fd, two, 2), 123);
	CHECK_EQ(write(ends[1], buffer, 7), 7);
	CHECK_EQ(read(ends[0], buffer, 100), 7);
	CHECK_ERR(read(ends[0], buffer, 100), EAGAIN);
	CHECK_EQ(pread(fd, buffer, 1000, 0), 1000);
	CHECK_EQ(read(fd, buffer, 100), 0);
	CHECK_EQ(preadv(fd, two, 2, 0), 123);
	CHECK_ERR(read(999, buffer, 1), EBADF); /* does not count */
	CHECK_EQ(syscall(SYS_sendfile, other, fd, (off_t[]) { 0 }, 50), 50);
	CHECK_ERR(copy_file_range(fd, NULL, ends[1], NULL, 10, 0), EINVAL);
}

CASE(io_counts_bytes_and_calls, "proc_pid_io(5)")
{
	long length, more;
	struct counts before = io_counts("/proc/self/io", &length), after;

	read_and_write();
	after = io_counts("/proc/self/io", &more);
	CHECK_EQ(after.rchar - before.rchar, length + 7 + 1000 + 123 + 50);
	CHECK_EQ(after.syscr - before.syscr, 1 + 6);
	CHECK_EQ(after.wchar - before.wchar, 3000 + 10 + 123 + 7 + 50);
	CHECK_EQ(after.syscw - before.syscw, 5);
}

static void *count_in_thread(void *nothing)
{
	char path[64];
	struct counts own;
	long length;

	snprintf(path, sizeof(path), "/proc/self/task/%d/io", gettid());
	read_and_write();
	own = io_counts(path, &length);
	CHECK_EQ(own.wchar, 3190);
	CHECK_EQ(own.syscw, 5);
	return nothing;
}

CASE(io_has_what_threads_and_awaited_children_did, "proc_pid_io(5)")
{
	long length, more;
	struct counts before = io_counts("/proc/self/io", &length), after;
	pthread_t thread;
	pid_t child;

	CHECK_EQ(pthread_create(&thread, NULL, count_in_thread, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	after = io_counts("/proc/self/io", &more);
	CHECK_EQ(after.wchar - before.wchar, 3190);
	CHECK_EQ(after.syscw - before.syscw, 5);
	child = fork_child();
	if (!child) {
		read_and_write();
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	after = io_counts("/proc/self/io", &more);
	CHECK_EQ(after.wchar - before.wchar, 2 * 3190);
	CHECK_EQ(after.syscw - before.syscw, 10);
}
