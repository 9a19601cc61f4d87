/* rights WHAT: who may do what to whom, where a right that comes or goes in between must not count. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER 1000

static void say(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
}

static void need(long result)
{
	if (result < 0) {
		perror("rights");
		_exit(2);
	}
}

static void become_user(void)
{
	need(setresgid(USER, USER, USER));
	need(setresuid(USER, USER, USER));
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* The tracer becomes root by execve after it has begun: its tracee's set-user-ID program gains nothing. */
static void tracer_that_gains_rights(void)
{
	char child[16];
	pid_t tracer, tracee;

	need(system("cp /t/rights /tmp/rights && chmod 4755 /tmp/rights"));
	tracer = fork();
	if (tracer == 0) {
		become_user();
		tracee = fork();
		if (tracee == 0) {
			need(ptrace(PTRACE_TRACEME, 0, 0, 0));
			raise(SIGSTOP);
			execl("/tmp/rights", "rights", "-whoami", NULL);
			_exit(2);
		}
		snprintf(child, sizeof(child), "%d", tracee);
		execl("/tmp/rights", "rights", "-trace", child, NULL);
		_exit(2);
	}
	waitpid(tracer, NULL, 0);
}

static void trace(pid_t tracee)
{
	int status;

	printf("tracer: %d\n", geteuid());
	fflush(stdout);
	while (waitpid(tracee, &status, 0) == tracee && WIFSTOPPED(status))
		ptrace(PTRACE_CONT, tracee, 0, 0);
}

/* Who comes in from outside is not for the root of a user namespace to look into. */
static void visitor_of_a_user_namespace(void)
{
	int ready[2], go[2], fd;
	char path[64], byte;
	pid_t owner, visitor;

	need(pipe(ready) | pipe(go));
	owner = fork();
	if (owner == 0) {
		become_user();
		need(unshare(CLONE_NEWUSER));
		need(write(ready[1], "", 1) | read(go[0], &visitor, sizeof(visitor)));
		say("attach", ptrace(PTRACE_ATTACH, visitor, 0, 0));
		snprintf(path, sizeof(path), "/proc/%d/mem", visitor);
		say("memory", open(path, O_RDONLY));
		fflush(stdout);
		_exit(0);
	}
	need(read(ready[0], &byte, 1));
	visitor = fork();
	if (visitor == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", owner);
		need(fd = open(path, O_RDONLY));
		need(setns(fd, CLONE_NEWUSER));
		need(write(ready[1], "", 1));
		for (;;)
			pause();
	}
	need(read(ready[0], &byte, 1));
	need(write(go[1], &visitor, sizeof(visitor)));
	waitpid(owner, NULL, 0);
	end(visitor);
}

static volatile sig_atomic_t signalled;

static void note(int signo)
{
	signalled = signo;
}

/* SIGIO is a signal too. */
static void signals_of_files_out_of_a_scope(void)
{
	const struct {
		uint64_t fs, net, scoped;
	} scoped = { .scoped = 2 }; /* LANDLOCK_SCOPE_SIGNAL */
	int ends[2], ruleset;
	pid_t child;

	signal(SIGUSR1, note);
	child = fork();
	if (child == 0) {
		need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		need(ruleset = syscall(444, &scoped, sizeof(scoped), 0UL));
		need(syscall(446, ruleset, 0));
		say("kill", kill(getppid(), SIGUSR1));
		fflush(stdout);
		need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
		need(fcntl(ends[0], F_SETSIG, SIGUSR1));
		need(fcntl(ends[0], F_SETOWN, getppid()));
		need(fcntl(ends[0], F_SETFL, O_ASYNC));
		need(write(ends[1], "", 1));
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0)
		;
	printf("signal: %s\n", signalled ? "came" : "none");
}

/* What is found by a handle is found through the mount that was given. */
static void handles_through_a_read_only_mount(void)
{
	struct {
		struct file_handle head;
		unsigned char rest[MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int id, mount_fd, fd;

	need(mkdir("/tmp/all", 0755) | mkdir("/tmp/part", 0755));
	need(mount("none", "/tmp/all", "tmpfs", 0, NULL));
	need(mkdir("/tmp/all/part", 0755));
	need(fd = open("/tmp/all/outside", O_CREAT | O_RDWR, 0644));
	need(mount("/tmp/all/part", "/tmp/part", NULL, MS_BIND, NULL));
	need(mount(NULL, "/tmp/part", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	need(name_to_handle_at(AT_FDCWD, "/tmp/all/outside", &handle.head, &id, 0));
	need(mount_fd = open("/tmp/part", O_RDONLY | O_DIRECTORY));
	say("read", open_by_handle_at(mount_fd, &handle.head, O_RDONLY));
	say("write", open_by_handle_at(mount_fd, &handle.head, O_WRONLY));
}

static void timer_slack_of_others(void)
{
	char path[64];
	pid_t other = fork();
	int fd;

	if (other == 0) {
		become_user();
		for (;;)
			pause();
	}
	need(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	if (fork() == 0) {
		become_user();
		need(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
		snprintf(path, sizeof(path), "/proc/%d/timerslack_ns", getppid());
		fd = open(path, O_WRONLY);
		say("timer slack", fd < 0 ? fd : write(fd, "9", 1));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	end(other);
}

static void nested_keyrings(void)
{
	long ring, inner = 0, result = 0;
	char name[16];
	int depth;

	for (depth = 0; depth < 100 && result >= 0; depth++) {
		snprintf(name, sizeof(name), "%d", depth);
		need(ring = syscall(SYS_add_key, "keyring", name, NULL, 0UL, -2));
		if (inner)
			result = syscall(SYS_keyctl, 8, inner, ring); /* KEYCTL_LINK */
		inner = ring;
	}
	say("nested keyrings", result);
}

/* Nor does a tracer kill the init of its own PID namespace. */
static void init_that_is_traced(void)
{
	pid_t child = fork();

	if (child == 0) {
		need(ptrace(PTRACE_SEIZE, getppid(), 0, 0));
		say("kill init", ptrace(PTRACE_KILL, getppid(), 0, 0));
		fflush(stdout);
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0)
		;
	printf("init: %d\n", getpid());
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), result;

	if (fd < 0)
		return -1;
	result = write(fd, text, strlen(text)) < 0 ? -1 : 0;
	close(fd);
	return result;
}

/* Who was given a control group gets hold of no process outside of it, and of no limit that is set on it. */
static void processes_of_other_control_groups(void)
{
	pid_t child;
	int pair[2];
	char number[16];

	need(mkdir("/tmp/cg", 0755));
	need(mount("none", "/tmp/cg", "cgroup2", 0, NULL));
	need(mkdir("/tmp/cg/given", 0755));
	need(chown("/tmp/cg/given", USER, USER));
	need(chown("/tmp/cg/given/cgroup.procs", USER, USER));
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = fork();
	if (child == 0) {
		become_user();
		need(mkdir("/tmp/cg/given/own", 0755));
		say("init", put("/tmp/cg/given/own/cgroup.procs", "1"));
		say("itself", put("/tmp/cg/given/own/cgroup.procs", "0"));
		say("limit", put("/tmp/cg/given/cgroup.max.depth", "5"));
		fflush(stdout);
		need(write(pair[1], "x", 1));
		need(read(pair[1], number, 1));
		say("within", put("/tmp/cg/given/own/cgroup.procs", "0"));
		say("back", put("/tmp/cg/given/cgroup.procs", "0"));
		say("out", put("/tmp/cg/cgroup.procs", "0"));
		fflush(stdout);
		_exit(0);
	}
	need(read(pair[0], number, 1));
	snprintf(number, sizeof(number), "%d", child);
	need(put("/tmp/cg/given/cgroup.procs", number));
	need(write(pair[0], "x", 1));
	waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{ "tracer", tracer_that_gains_rights },
		{ "visitor", visitor_of_a_user_namespace },
		{ "scope", signals_of_files_out_of_a_scope },
		{ "handles", handles_through_a_read_only_mount },
		{ "slack", timer_slack_of_others },
		{ "keyrings", nested_keyrings },
		{ "init", init_that_is_traced },
		{ "groups", processes_of_other_control_groups },
	};

	if (argc > 1 && !strcmp(argv[1], "-whoami"))
		printf("tracee: %d\n", geteuid());
	else if (argc > 2 && !strcmp(argv[1], "-trace"))
		trace(atoi(argv[2]));
	for (size_t i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!strcmp(argv[1], cases[i].name))
			cases[i].run();
	return 0;
}
