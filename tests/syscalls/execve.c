/* execve and execveat: what runs, what survives, what is refused. The format of ELF files: elf_exec.c. */
#include "harness.h"
#include "fixtures.h"

#include <pthread.h>
#include <sys/time.h>

static char *no_environment[] = { NULL };

/* Runs a shell command through execve with this environment, in a child; returns its wait status. */
static int shell(char *command, char *argument, char **environment)
{
	char *arguments[] = { "sh", "-c", command, "sh", argument, NULL };
	pid_t child = fork_child();

	if (child == 0) {
		syscall(SYS_execve, "/bin/sh", arguments, environment);
		_exit(126);
	}
	return wait_status(child);
}

/* Writes an executable file. */
static void put_script(const char *path, const char *text)
{
	put_file(path, text);
	CHECK_OK(chmod(path, 0755));
}

static long execute(const char *path)
{
	char *arguments[] = { (char *)path, NULL };

	return syscall(SYS_execve, path, arguments, no_environment);
}

/* Executes in a child and returns the exit code, or -1 and errno as execve set it. */
static int spawn(const char *path, char **arguments, char **environment)
{
	volatile int *failure = map_pages(1, MAP_SHARED);
	pid_t child = fork_child();
	int status;

	if (child == 0) {
		syscall(SYS_execve, path, arguments, environment);
		*failure = errno;
		_exit(126);
	}
	status = wait_status(child);
	errno = *failure;
	return errno ? -1 : WEXITSTATUS(status);
}

CASE(exec_passes_arguments_and_environment, "execve(2)")
{
	char *environment[] = { "COLOUR=green", NULL };

	CHECK_EQ(WEXITSTATUS(shell("[ \"$1\" = 'two words' ] && [ $COLOUR = green ] && exit 8", "two words",
				   environment)), 8);
}

CASE(exec_keeps_pid_and_parent, "execve(2)")
{
	char self[16];
	char *arguments[] = { "sh", "-c", "[ $PPID = $1 ] && exit 0; exit 1", "sh", self, NULL };

	snprintf(self, sizeof(self), "%d", getpid());
	CHECK_EQ(spawn("/bin/sh", arguments, no_environment), 0);
}

CASE(exec_of_a_missing_file_gives_ENOENT, "execve(2)")
{
	CHECK_ERR(execute("missing"), ENOENT);
	CHECK_ERR(execute(""), ENOENT);
}

CASE(exec_of_a_file_without_permission_gives_EACCES, "execve(2)")
{
	put_file("file", "#!/bin/sh\n");
	CHECK_ERR(execute("./file"), EACCES);
}

CASE(exec_of_a_directory_gives_EACCES, "execve(2)")
{
	CHECK_ERR(execute("/"), EACCES);
}

CASE(exec_of_an_unknown_format_gives_ENOEXEC, "execve(2)")
{
	put_script("text", "exit 0\n");
	CHECK_ERR(execute("./text"), ENOEXEC);
	put_script("empty", "");
	CHECK_ERR(execute("./empty"), ENOEXEC);
}

CASE(exec_path_errors, "execve(2)")
{
	char long_name[300];

	memset(long_name, 'n', sizeof(long_name));
	long_name[299] = '\0';
	put_file("file", "");
	CHECK_OK(symlink("loop", "loop"));
	CHECK_ERR(execute("file/x"), ENOTDIR);
	CHECK_ERR(execute("loop"), ELOOP);
	CHECK_ERR(execute(long_name), ENAMETOOLONG);
}

CASE(exec_with_bad_pointers_gives_EFAULT, "execve(2)")
{
	char *arguments[] = { "sh", NULL }, *bad[] = { unmapped(), NULL };

	CHECK_ERR(syscall(SYS_execve, unmapped(), arguments, no_environment), EFAULT);
	CHECK_ERR(syscall(SYS_execve, "/bin/sh", unmapped(), no_environment), EFAULT);
	CHECK_ERR(syscall(SYS_execve, "/bin/sh", bad, no_environment), EFAULT);
	CHECK_ERR(syscall(SYS_execve, "/bin/sh", arguments, bad), EFAULT);
}

CASE(exec_with_an_argument_over_131072_bytes_gives_E2BIG, "execve(2)")
{
	char *huge = map_pages(40, MAP_PRIVATE);
	char *arguments[] = { "sh", "-c", "exit ${#1}", "sh", huge, NULL };

	memset(huge, 'x', 131072);
	CHECK_EQ(spawn("/bin/sh", arguments, no_environment), -1);
	CHECK_EQ(errno, E2BIG);
	huge[131071] = '\0';
	CHECK_EQ(spawn("/bin/sh", arguments, no_environment), 131071 & 0xff);
}

CASE(exec_of_a_file_open_for_writing_gives_ETXTBSY, "execve(2)")
{
	int fd;

	put_script("script", "#!/bin/sh\n");
	fd = CHECK_OK(open("script", O_WRONLY));
	CHECK_ERR(execute("./script"), ETXTBSY);
	CHECK_OK(close(fd));
}

CASE(script_gets_the_interpreter_argument_then_its_path, "execve(2)")
{
	char *arguments[] = { "ignored", "extra", NULL };

	put_script("script", "#! /bin/sh -e\n[ \"$0\" = ./script ] && [ \"$1\" = extra ] && false\nexit 3\n");
	CHECK_EQ(spawn("./script", arguments, no_environment), 1);
}

CASE(script_interpreter_may_be_a_script, "execve(2)")
{
	char *arguments[] = { "outer", NULL };

	put_script("inner", "#!/bin/sh\n. \"$1\"\n");
	put_script("outer", "#!./inner\nexit 21\n");
	CHECK_EQ(spawn("./outer", arguments, no_environment), 21);
}

CASE(script_with_a_missing_interpreter_gives_ENOENT, "execve(2)")
{
	put_script("script", "#!/nowhere/interpreter\n");
	CHECK_ERR(execute("./script"), ENOENT);
}

CASE(script_that_is_its_own_interpreter_gives_ELOOP, "execve(2)")
{
	put_script("script", "#!./script\n");
	CHECK_ERR(execute("./script"), ELOOP);
}

CASE(exec_closes_close_on_exec_descriptors_only, "execve(2)")
{
	int kept = make_file("kept", ""), closed = CHECK_OK(open("kept", O_RDONLY | O_CLOEXEC));

	CHECK_OK(dup2(kept, 8));
	CHECK_OK(dup3(closed, 9, O_CLOEXEC));
	CHECK_EQ(WEXITSTATUS(shell("(: <&8) && ! (: <&9) 2>/dev/null && exit 5", "", no_environment)), 5);
}

CASE(exec_resets_handlers_and_keeps_ignored_signals, "execve(2)")
{
	char *self_kill = "kill -USR2 $$; kill -USR1 $$; exit 1";
	int status;

	handle(SIGUSR1, count_signal, 0);
	handle(SIGUSR2, SIG_IGN, 0);
	status = shell(self_kill, "", no_environment);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGUSR1);
}

CASE(exec_keeps_mask_and_pending_signals, "execve(2)")
{
	char *command = "while read name value; do case $name in SigBlk:|ShdPnd:) "
			"[ $value = 0000000000000200 ] || exit 1;; esac; done < /proc/self/status";
	char *arguments[] = { "sh", "-c", command, NULL };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	pid_t child = fork_child();
	if (child == 0) {
		kill(getpid(), SIGUSR1);
		execv("/bin/sh", arguments);
		_exit(126);
	}
	CHECK_EXITS(child, 0);
}

CASE(execveat_runs_an_open_file_with_AT_EMPTY_PATH, "execveat(2)")
{
	char *arguments[] = { "sh", "-c", "exit 14", NULL };
	int fd = CHECK_OK(open("/bin/sh", O_PATH | O_CLOEXEC));
	pid_t child = fork_child();

	if (child == 0) {
		syscall(SYS_execveat, fd, "", arguments, no_environment, AT_EMPTY_PATH);
		_exit(126);
	}
	CHECK_EXITS(child, 14);
}

CASE(execveat_errors, "execveat(2)")
{
	char *arguments[] = { "sh", NULL };

	CHECK_OK(symlink("/bin/sh", "link"));
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "link", arguments, NULL, AT_SYMLINK_NOFOLLOW), ELOOP);
	CHECK_ERR(syscall(SYS_execveat, 999, "sh", arguments, no_environment, 0), EBADF);
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "/bin/sh", arguments, no_environment, 0x4000000), EINVAL);
}

static void *exec_in_thread(void *unused)
{
	char *arguments[] = { "sh", "-c", "exit 17", NULL };

	execv("/bin/sh", arguments);
	_exit(126);
	return unused;
}

CASE(exec_in_a_thread_takes_over_the_process, "execve(2)")
{
	pthread_t thread;
	pid_t child = fork_child();

	if (child == 0) {
		pthread_create(&thread, NULL, exec_in_thread, NULL);
		for (;;)
			pause();
	}
	CHECK_EXITS(child, 17);
}

CASE(exec_without_argument_list_gives_one_empty_argument, "execve(2)")
{
	put_script("script", "#!/bin/sh\nexit $#\n");
	CHECK_EQ(spawn("./script", NULL, NULL), 0);
}

CASE(AT_EXECVE_CHECK_only_asks_whether_the_file_may_be_executed, "execveat(2)")
{
	char *arguments[] = { "x", NULL };
	int file = CHECK_OK(open("garbage", O_CREAT | O_WRONLY, 0700));

	CHECK_EQ(write(file, "\1\2\3", 3), 3);
	close(file);
	CHECK_OK(syscall(SYS_execveat, AT_FDCWD, "garbage", arguments, environ, 0x10000));
	CHECK_OK(chmod("garbage", 0600));
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "garbage", arguments, environ, 0x10000), EACCES);
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "nothing", arguments, environ, 0x10000), ENOENT);
}

CASE(script_behind_a_descriptor_that_closes_cannot_be_found, "execveat(2), BUGS")
{
	char *arguments[] = { "x", NULL };
	int file = CHECK_OK(open("script", O_CREAT | O_WRONLY, 0700));

	CHECK_EQ(write(file, "#!/bin/sh\n", 10), 10);
	close(file);
	file = CHECK_OK(open("script", O_RDONLY | O_CLOEXEC));
	CHECK_ERR(syscall(SYS_execveat, file, "", arguments, environ, AT_EMPTY_PATH), ENOENT);
}

CASE(file_that_is_open_for_writing_gives_ETXTBSY, "execve(2)")
{
	char *arguments[] = { "x", NULL };
	int file = CHECK_OK(open("script", O_CREAT | O_WRONLY, 0700));

	CHECK_EQ(write(file, "#!/bin/sh\n", 10), 10);
	CHECK_ERR(execve("script", arguments, environ), ETXTBSY);
	close(file);
	file = CHECK_OK(memfd_create("program", 0));
	CHECK_EQ(write(file, "\1", 1), 1);
	CHECK_ERR(syscall(SYS_execveat, file, "", arguments, environ, AT_EMPTY_PATH), ENOEXEC);
}
