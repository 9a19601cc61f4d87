/*
 * A process whose restartable sequences (rseq(2)) are not what they should be: they cover the platform's own code above
 * the guest's memory, or what the thread has registered is gone. While its threads make calls, another process works on
 * and checks all its answers.
 *
 *	sections HOW TURNS		HOW: see hows[]
 */
#include "hostile.h"

#include <errno.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/rseq.h>

#define ABOVE 0x7fff80000000UL
#define SIGNATURE 0x53053053
#define TURN_MS 300
#define VICTIMS 3

static volatile struct {
	unsigned turns;	/* of the other process */
	unsigned ready; /* victims that have registered */
} *shared;

struct section {
	uint32_t version, flags;
	uint64_t start, length, abort;
} __attribute__((aligned(32)));

static struct section section;
static char *areas; /* a page for each victim */
static int pages;   /* a file with them, shared */

/* Abort handlers, each with the signature before it. */
extern char loop[], calls[], enters[];
__asm__(".text\n"
	"	.long 0x53053053\n"
	"loop:	jmp	loop\n"
	"	.long 0x53053053\n"
	"calls:	mov	$39, %eax\n" /* getpid, with whatever is in the registers */
	"	syscall\n"
	"	mov	$9, %eax\n"
	"	syscall\n"
	"	jmp	calls\n"
	"	.long 0x53053053\n"
	"enters:	movabs	$0x7fff80000000, %rcx\n" /* the first instruction of the platform's code */
	"	mov	$56, %eax\n"
	"	mov	$0x8000, %edi\n"
	"	xor	%esi, %esi\n"
	"	jmp	*%rcx\n");

static void cover(uint64_t start, uint64_t length, uint64_t abort)
{
	section = (struct section){ 0, 0, start, length, abort };
}

static void cover_all_loop(void)
{
	cover(ABOVE, 0x30000000, (uint64_t)loop);
}

static void cover_all_calls(void)
{
	cover(ABOVE, 0x30000000, (uint64_t)calls);
}

static void cover_all_enter(void)
{
	cover(ABOVE, 0x30000000, (uint64_t)enters);
}

/* All but its first instruction, with that as the handler: the signature is below it, in our own memory. */
static void abort_above(void)
{
	uint32_t *below = mmap((void *)(ABOVE - PAGE), PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (below != MAP_FAILED)
		below[PAGE / 4 - 1] = SIGNATURE;
	cover(ABOVE + 1, 0x30000000, ABOVE);
}

static void nothing(void)
{
	cover(0, 0, (uint64_t)loop);
}

static void abort_in_the_kernel(void)
{
	cover(ABOVE, 0x30000000, 0xffffffff81000000);
}

static uint64_t its_address(void)
{
	return (uint64_t)&section;
}

static uint64_t an_address_above(void)
{
	return ABOVE;
}

static uint64_t an_address_of_the_kernel(void)
{
	return 0xffffffff81000000;
}

static void unmap(void *area)
{
	munmap(area, PAGE);
}

static void protect(void *area)
{
	mprotect(area, PAGE, PROT_READ);
}

static void map_a_file(void *area)
{
	int file = open("/etc/passwd", O_RDONLY);

	mmap(area, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
	close(file);
}

static void overlay(void *area)
{
	mmap(area, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, pages, (char *)area - areas);
}

static void overlay_by_moving(void *area)
{
	void *other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, pages, (char *)area - areas);

	mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area);
}

static const struct {
	const char *name;
	void (*describe)(void);
	uint64_t (*address)(void);
	void (*spoil)(void *area);
	int apart;	/* 1: processes, not threads; 2: what they register is private at first */
} hows[] = {
	{ "loop", cover_all_loop, its_address, NULL, 0 },
	{ "calls", cover_all_calls, its_address, NULL, 0 },
	{ "enters", cover_all_enter, its_address, NULL, 0 },
	{ "above", abort_above, its_address, NULL, 0 },
	{ "kernel", abort_in_the_kernel, its_address, NULL, 0 },
	{ "description-above", nothing, an_address_above, NULL, 0 },
	{ "description-kernel", nothing, an_address_of_the_kernel, NULL, 0 },
	{ "unmapped", nothing, its_address, unmap, 0 },
	{ "read-only", nothing, its_address, protect, 0 },
	{ "file", nothing, its_address, map_a_file, 0 },
	{ "processes", cover_all_loop, its_address, NULL, 1 },
	{ "processes-call", cover_all_calls, its_address, NULL, 1 },
	{ "overlaid", cover_all_calls, its_address, overlay, 2 },
	{ "moved", cover_all_calls, its_address, overlay_by_moving, 2 },
};

static unsigned how;

/* Calls for which the platform has the thread do some work. */
static void *make_calls(void *number)
{
	char *area = areas + (uintptr_t)number * PAGE;
	int file = open("/etc/passwd", O_RDONLY), word = 0, other = 0;

	if (hows[how].apart == 2)
		mmap(area, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	call(SYS_rseq, (uint64_t)__builtin_thread_pointer() + __rseq_offset, 32, RSEQ_FLAG_UNREGISTER, SIGNATURE, 0, 0);
	if (call(SYS_rseq, (uint64_t)area, 32, 0, SIGNATURE, 0, 0))
		_exit(1);
	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
	if (hows[how].spoil)
		hows[how].spoil(area);
	for (;;) {
		munmap(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 8 * PAGE);
		munmap(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0), PAGE);
		/* FUTEX_WAKE_OP: word = 1 */
		call(SYS_futex, (uint64_t)&other, 5, 1, 1, (uint64_t)&word, 1 << 12);
		call(SYS_getppid, 0, 0, 0, 0, 0, 0);
		if (!__atomic_load_n((int *)&word, __ATOMIC_RELAXED))
			sched_yield();
		if (rand() % 50 == 0) {
			pid_t child = fork();

			if (child == 0)
				_exit(0);
			if (child > 0)
				waitpid(child, NULL, 0);
		}
	}
	return NULL;
}

static void victim(void)
{
	pthread_t thread;
	const uint64_t address = hows[how].address();

	pages = memfd_create("areas", 0);
	if (pages < 0 || ftruncate(pages, VICTIMS * PAGE))
		_exit(1);
	areas = mmap(NULL, VICTIMS * PAGE, PROT_READ | PROT_WRITE, hows[how].apart ? MAP_SHARED : MAP_PRIVATE, pages, 0);
	hows[how].describe();
	for (uintptr_t i = 0; i < VICTIMS; i++) {
		if (!hows[how].apart) {
			pthread_create(&thread, NULL, make_calls, (void *)i);
		} else if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			make_calls((void *)i);
		}
	}
	if (hows[how].spoil && !hows[how].apart)
		for (;;)
			pause();
	for (;;) /* what the kernel clears is set again */
		for (unsigned i = 0; i < VICTIMS; i++)
			*(volatile uint64_t *)(areas + i * PAGE + offsetof(struct rseq, rseq_cs)) = address;
}

/* The other process: all its answers have to be right, all the time. */
static void bystander(void)
{
	int ends[2];
	char text[64], again[64];

	if (pipe(ends))
		_exit(1);
	for (unsigned turns = 0;; turns++) {
		int length = snprintf(text, sizeof(text), "turn %u of %d", turns, getpid()), status;

		memset(again, 0, sizeof(again));
		if (write(ends[1], text, length) != length || read(ends[0], again, sizeof(again)) != length ||
		    memcmp(text, again, length) != 0)
			_exit(2);
		if (getppid() != 1 || access("/etc/passwd", R_OK) != 0 || close(-1) != -1 || errno != EBADF)
			_exit(3);
		if (turns % 50 == 0) {
			pid_t child = fork();

			if (child == 0)
				_exit(turns & 31);
			if (child < 0 || waitpid(child, &status, 0) != child || status != (int)(turns & 31) << 8)
				_exit(4);
			shared->turns = turns;
		}
	}
}

int main(int argc, char **argv)
{
	int turns = argc > 2 ? atoi(argv[2]) : 1, status, deaths = 0;
	pid_t other;

	while (how < COUNT(hows) && argc > 1 && strcmp(argv[1], hows[how].name) != 0)
		how++;
	if (how == COUNT(hows) || argc < 2)
		return 2;
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	other = fork();
	if (other == 0)
		bystander();
	for (int turn = 0; turn < turns; turn++) {
		shared->ready = 0;
		pid_t child = fork();

		if (child == 0)
			victim();
		int ended = 0;
		for (int ms = 0; !ended && ms < TURN_MS; ms += 5) {
			usleep(5000);
			ended = waitpid(child, &status, WNOHANG) == child;
		}
		if (!ended) {
			kill(child, SIGKILL);
			if (waitpid(child, &status, 0) != child)
				return printf("lost\n"), 4;
		} else if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGKILL)) {
			deaths++;
		} else {
			return printf("status %x\n", status), 6;
		}
		unsigned before = shared->turns;
		for (int ms = 0; shared->turns == before; ms++) {
			if (waitpid(other, &status, WNOHANG) != 0)
				return printf("the other process ended with %x\n", status), 5;
			if (ms == 20000)
				return printf("the other process stands still\n"), 5;
			usleep(1000);
		}
	}
	kill(other, SIGKILL);
	printf("%d of %d, the other process worked on\n", deaths, turns);
	return 0;
}
