/* Tracees, and what their tracers wait for. */
#ifndef TRACING_H
#define TRACING_H

#include <elf.h>
#include <linux/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

/* The system call itself: the C library's function checks nothing and changes PEEK. */
static inline long ptrace(long request, pid_t pid, unsigned long address, unsigned long data)
{
	return syscall(SYS_ptrace, request, pid, address, data);
}

#define SET(data) ((unsigned long)(data))

/* The next stop of the tracee, as WSTOPSIG with the event above it. */
static inline int stop_of(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	if (!WIFSTOPPED(status))
		FAIL("wait status 0x%x is no stop", (unsigned)status);
	return status >> 8;
}

/* A child that asks to be traced, stopped by its own SIGSTOP; 0 in the child once it goes on. */
static inline pid_t traced_child(void)
{
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		return 0;
	}
	CHECK_EQ(stop_of(child), SIGSTOP);
	return child;
}

static inline struct user_regs_struct registers_of(pid_t pid)
{
	struct user_regs_struct registers;

	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, SET(&registers)));
	return registers;
}

static inline unsigned long word_of(pid_t pid, const volatile void *address)
{
	unsigned long word;

	CHECK_OK(ptrace(PTRACE_PEEKDATA, pid, SET(address), SET(&word)));
	return word;
}

static inline unsigned long message_of(pid_t pid)
{
	unsigned long message;

	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, SET(&message)));
	return message;
}

static inline siginfo_t siginfo_of(pid_t pid)
{
	siginfo_t info;

	CHECK_OK(ptrace(PTRACE_GETSIGINFO, pid, 0, SET(&info)));
	return info;
}

static inline void resume(long request, pid_t pid, int number)
{
	CHECK_OK(ptrace(request, pid, 0, number));
}

/* A child that waits for ever. */
static inline pid_t pausing_child(void)
{
	int ends[2];
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		tell(ends[1]);
		for (;;)
			pause();
	}
	await(ends[0]);
	CHECK_OK(close(ends[0]));
	CHECK_OK(close(ends[1]));
	return child;
}

static inline void kill_and_reap(pid_t pid)
{
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

#endif
