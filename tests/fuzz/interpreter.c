/*
 * Runs a random program: system calls with arguments that are constants or earlier results (see program.py).
 *
 *	interpreter SECTION STEPS < program
 *
 * The first process only watches: it has workers run the program, SECTION operations each and two at a time, kills
 * them and all their descendants when they have had STEPS steps of 5 ms, then tries whether the kernel still works,
 * and says so.
 */
#include "../isolation/guests/hostile.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <ucontext.h>

#define IMAGE 0x70000000UL	/* what the arguments point to; beyond where a static program may have its heap */
#define IMAGE_SIZE (256 << 10)
#define CODE 0x74000000UL	/* the program, read-only */
#define CODE_SIZE (4 << 20)
#define STACKS 0x78000000UL	/* of threads */
#define STACK_SIZE (16 << 10)
#define MOST_STACKS 512
#define SLOTS 256

enum { CONSTANT, SLOT };
enum { FORK = 1000, VFORK, THREAD, STORE, TOUCH, LOAD };

struct argument {
	uint8_t kind, slot;
	uint16_t unused;
	uint32_t offset;
	uint64_t value;
};

struct operation {
	uint16_t number;
	uint16_t count;		/* FORK and the like: so many operations are the child's */
	int32_t result;		/* the slot that takes the result; -1: none */
	struct argument arguments[6];
};

struct program {
	uint32_t operations, image;
	/* then the image, and the operations on the next multiple of 8 */
};

static const struct program *const program = (const struct program *)CODE;
static const struct operation *operations;
static uint64_t slots[SLOTS];
static atomic_uint stacks;
static sigjmp_buf after_fault;
static volatile long toucher;

static void run(unsigned first, unsigned end);

static void on_signal(int signo)
{
	if (signo == SIGALRM)
		return;
	if (toucher == call(SYS_gettid, 0, 0, 0, 0, 0, 0)) {
		toucher = 0;
		siglongjmp(after_fault, 1);
	}
	call(SYS_exit_group, 100 + signo, 0, 0, 0, 0, 0);
}

static uint64_t value_of(const struct argument *argument)
{
	if (argument->kind == SLOT)
		return slots[argument->slot] + argument->offset;
	return argument->value;
}

/* clone(2) on a stack of its own: the child runs its part of the program and leaves. */
static long spawn(unsigned long flags, unsigned first, unsigned end)
{
	unsigned number = atomic_fetch_add(&stacks, 1);
	uint64_t *top;
	long result;

	if (number >= MOST_STACKS)
		return -EAGAIN;
	top = (uint64_t *)(STACKS + (number + 1) * STACK_SIZE) - 4;
	top[0] = first;
	top[1] = end;
	top[2] = (uint64_t)run;
	__asm__ volatile("xor %%r10d, %%r10d\n\t"
			 "xor %%r8d, %%r8d\n\t"
			 "syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "pop %%rdi\n\t"
			 "pop %%rsi\n\t"
			 "pop %%rax\n\t"
			 "call *%%rax\n\t"
			 "xor %%edi, %%edi\n\t"
			 "mov $60, %%eax\n\t"	/* exit(2): of the thread alone */
			 "syscall\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(result)
			 : "a"(SYS_clone), "D"(flags), "S"(top), "d"(0)
			 : "rcx", "r11", "r8", "r10", "memory");
	return result;
}

static long touch(volatile char *address, int change)
{
	toucher = call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	if (sigsetjmp(after_fault, 1) == 0) {
		if (change)
			*address = 1;
		else
			(void)*address;
	}
	toucher = 0;
	return 0;
}

static long perform(const struct operation *operation, unsigned next)
{
	uint64_t a[6];
	long result;

	for (int i = 0; i < 6; i++)
		a[i] = value_of(&operation->arguments[i]);
	switch (operation->number) {
	case FORK:
		result = call(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
		if (result == 0) {
			run(next, next + operation->count);
			call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
		}
		return result;
	case VFORK:
		return spawn(CLONE_VM | CLONE_VFORK | SIGCHLD, next, next + operation->count);
	case THREAD:
		return spawn(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, next,
			     next + operation->count);
	case STORE:	/* where, what: only within the image */
		*(volatile uint32_t *)(IMAGE + (a[0] & (IMAGE_SIZE - 4))) = a[1];
		return 0;
	case LOAD:
		return *(volatile uint32_t *)(IMAGE + (a[0] & (IMAGE_SIZE - 4)));
	case TOUCH:
		return touch((char *)a[0], a[1]);
	}
	return call(operation->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void run(unsigned first, unsigned end)
{
	for (unsigned at = first; at < end && at < program->operations; at++) {
		const struct operation *operation = &operations[at];
		long result = perform(operation, at + 1);

		if (operation->result >= 0 && operation->result < SLOTS && result >= 0)
			slots[operation->result] = result;
		if (operation->number >= FORK && operation->number <= THREAD)
			at += operation->count;
	}
}

static void limit(int resource, rlim_t most)
{
	setrlimit(resource, &(struct rlimit){ most, most });
}

static void work(unsigned first, unsigned end)
{
	static char alternate[1 << 15];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct sigaction action = { .sa_handler = on_signal };	/* no SA_RESTART: a blocked call ends */
	struct sigaction fault = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER };
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } };

	limit(RLIMIT_AS, 1UL << 33);
	limit(RLIMIT_FSIZE, 1UL << 24);
	limit(RLIMIT_NPROC, 128);
	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	chdir("/tmp/play");
	for (int i = 0; i < SLOTS; i++)
		slots[i] = i % 8 + 3;
	run(first, end);
	call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

static int read_program(void)
{
	char *at = (char *)CODE;
	ssize_t got;

	if (mmap((void *)CODE, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
		    MAP_FAILED ||
	    mmap((void *)IMAGE, IMAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
		    MAP_FAILED ||
	    mmap((void *)STACKS, STACK_SIZE * MOST_STACKS, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		return -1;
	while ((got = read(0, at, (char *)CODE + CODE_SIZE - at)) > 0)
		at += got;
	if (program->image > IMAGE_SIZE)
		return -1;
	memcpy((void *)IMAGE, program + 1, program->image);
	operations = (const struct operation *)((CODE + sizeof(*program) + program->image + 7) & ~7UL);
	return mprotect((void *)CODE, CODE_SIZE, PROT_READ);
}

static int complain(const char *what)
{
	perror(what);
	return 0;
}

/* Does the kernel still do the simple things? */
static int is_alive(void)
{
	char text[64] = "";
	int ends[2], status, file = open("/proc/self/stat", O_RDONLY);
	pid_t child;

	/* /proc may have been unmounted: that is no fault. */
	if (file >= 0 && read(file, text, 4) != 4)
		return complain("read of a file");
	if (open("/", O_RDONLY | O_DIRECTORY) < 0)
		return complain("open of the root");
	if (pipe(ends) < 0 || write(ends[1], "alive", 5) != 5 || read(ends[0], text, sizeof(text)) != 5 ||
	    strncmp(text, "alive", 5) != 0)
		return complain("pipe");
	child = fork();
	if (child == 0)
		_exit(42);
	if (child < 0)
		return complain("fork");
	if (waitpid(child, &status, 0) != child)
		return complain("wait");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 42)
		return complain("status of a child");
	return 1;
}

/* The first process does nothing that could fault: if it does, the kernel has mixed something up. */
static void on_own_fault(int signo, siginfo_t *info, void *context)
{
	const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (info->si_code <= 0)
		return;	/* a worker's kill(0, ...) */
	dprintf(2, "init: signal %d, code %d, at %p, rip %#llx, rsp %#llx, rax %#llx\n", signo, info->si_code, info->si_addr,
		registers[REG_RIP], registers[REG_RSP], registers[REG_RAX]);
	_exit(99);
}

/* Two workers, until both have ended or their time is over. */
static void run_pair(unsigned first, unsigned section, int steps)
{
	struct timespec step = { 0, 5000000 };
	pid_t ended, workers[2];
	int left = 2;

	for (int i = 0; i < 2; i++) {
		workers[i] = fork();
		if (workers[i] == 0)
			work(first + i * section, first + (i + 1) * section);
	}
	for (; steps > 0 && left > 0; steps--) {
		while ((ended = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
			left -= ended == workers[0] || ended == workers[1];
		nanosleep(&step, NULL);
	}
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}

int main(int argc, char **argv)
{
	struct sigaction fault = { .sa_sigaction = on_own_fault, .sa_flags = SA_SIGINFO | SA_RESTART };
	unsigned section;

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	if (argc != 3 || read_program() != 0)
		return 2;
	section = atoi(argv[1]);
	mkdir("/tmp/play", 0777);
	for (unsigned first = 0; first < program->operations; first += 2 * section)
		run_pair(first, section, atoi(argv[2]));
	if (!is_alive())
		return 1;
	dprintf(2, "alive\n");
	return 0;
}
