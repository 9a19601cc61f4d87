/* A thread group leader that ends before the other threads, and ends that a tracer holds up. */
#include "harness.h"
#include "fixtures.h"
#include "tracing.h"

#include <pthread.h>

static int go[2];
static void (*ending)(void);

static void *thread_body(void *unused)
{
	await(go[0]);
	ending();
	return unused;
}

/* A child whose leader has ended with status 5, and whose other thread ends as told once it may. */
static pid_t leaderless(void (*how)(void))
{
	char path[64], *state;
	pthread_t thread;
	pid_t child;

	ending = how;
	CHECK_OK(pipe(go));
	child = fork_child();
	if (child == 0) {
		CHECK_EQ(pthread_create(&thread, NULL, thread_body, NULL), 0);
		syscall(SYS_exit, 5);
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	do {
		still();
		state = strrchr((char *)text_of(path), ')');
		CHECK(state != NULL);
	} while (state[2] != 'Z');
	return child;
}

static void exits(void)
{
	syscall(SYS_exit, 7);
}

static void exits_group(void)
{
	_exit(9);
}

static void raises(void)
{
	raise(SIGTERM);
}

static void executes(void)
{
	execl("/bin/sh", "sh", "-c", "exit 11", (char *)NULL);
}

static void pauses(void)
{
	for (;;)
		pause();
}

CASE(a_dead_leader_is_no_end_of_the_process, "wait(2)")
{
	pid_t child = leaderless(exits_group);
	siginfo_t info = { .si_pid = 0 };

	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	CHECK_OK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT));
	CHECK_EQ(info.si_pid, 0);
	CHECK_OK(kill(child, 0));
	CHECK_EQ(getpgid(child), getpgid(0));
	tell(go[1]);
	CHECK_EXITS(child, 9);
}

CASE(the_last_threads_status_is_the_process_s, "_exit(2)")
{
	pid_t child = leaderless(exits);

	tell(go[1]);
	CHECK_EXITS(child, 7);
}

CASE(a_threads_signal_kills_the_leaderless_process, "signal(7)")
{
	pid_t child = leaderless(raises);

	tell(go[1]);
	CHECK_KILLED(child, SIGTERM);
	child = leaderless(pauses);
	end_child(child);
}

CASE(a_thread_that_executes_takes_the_dead_leaders_place, "execve(2)")
{
	pid_t child = leaderless(executes);

	tell(go[1]);
	CHECK_EXITS(child, 11);
}

CASE(a_leaderless_process_stops_and_continues, "wait(2)")
{
	pid_t child = leaderless(pauses);
	int status;

	CHECK_OK(kill(child, SIGSTOP));
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(kill(child, SIGCONT));
	CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
	CHECK(WIFCONTINUED(status));
	end_child(child);
}

CASE(proc_lists_a_dead_leader, "proc_pid_task(5)")
{
	pid_t child = leaderless(exits_group);
	char path[64], target[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/task", child);
	CHECK_OK(stat(path, &status));
	CHECK_EQ(status.st_nlink, 4);
	snprintf(path, sizeof(path), "/proc/%d/task/%d", child, child);
	CHECK_OK(stat(path, &status));
	snprintf(path, sizeof(path), "/proc/%d/cwd", child);
	CHECK_ERR(readlink(path, target, sizeof(target)), ENOENT);
	snprintf(path, sizeof(path), "/proc/%d/root", child);
	CHECK_ERR(readlink(path, target, sizeof(target)), ENOENT);
	snprintf(path, sizeof(path), "/proc/%d/exe", child);
	CHECK_ERR(readlink(path, target, sizeof(target)), ENOENT);
	tell(go[1]);
	CHECK_EXITS(child, 9);
}

static void hold_at_exit(pid_t child, unsigned long message)
{
	unsigned long told;

	CHECK_OK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT));
	CHECK_OK(ptrace(PTRACE_CONT, child, 0, 0));
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_EXIT << 8);
	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, child, 0, SET(&told)));
	CHECK_EQ(told, message);
}

CASE(no_signal_ends_the_exit_stop_of_the_last_thread, "ptrace(2)")
{
	pid_t child = traced_child();

	if (child == 0)
		syscall(SYS_exit, 3);
	hold_at_exit(child, 3 << 8);
	CHECK_OK(kill(child, SIGKILL));
	still();
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	CHECK_OK(ptrace(PTRACE_CONT, child, 0, 0));
	CHECK_EXITS(child, 3);
}

CASE(a_fatal_signal_ends_the_exit_stop_of_a_leader_with_threads, "ptrace(2)")
{
	static const int fatal[] = { SIGKILL, SIGTERM };
	pthread_t thread;
	pid_t child;

	for (int i = 0; i < 2; i++) {
		ending = pauses;
		CHECK_OK(pipe(go));
		child = traced_child();
		if (child == 0) {
			CHECK_EQ(pthread_create(&thread, NULL, thread_body, NULL), 0);
			syscall(SYS_exit, 5);
		}
		hold_at_exit(child, 5 << 8);
		CHECK_OK(kill(child, fatal[i]));
		CHECK_KILLED(child, fatal[i]);
	}
}
