/*
 * A process that writes over all that it finds above its own memory, where the platform keeps what it needs there,
 * while other threads of it make calls; beside it another process works on and checks all its answers.
 *
 *	scribble HOW TURNS		HOW: see hows[]
 */
#include "hostile.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/resource.h>

#define ABOVE 0x7fff80000000UL
#define END 0x7ffffffff000UL
#define GRAIN 0x10000UL
#define TURN_MS 150
#define NOBODY 65534
#define PROCESSES 100 /* and threads, of a scribbler: what it becomes may do nothing but fork */

static sigjmp_buf beyond;
static uintptr_t found[2048];
static unsigned found_count;
static volatile int over;
static volatile struct {
	unsigned turns;	/* of the other process */
	unsigned pages;	/* that were found */
} *shared;

static void jump_out(int number)
{
	(void)number;
	siglongjmp(beyond, 1);
}

static int readable(uintptr_t page)
{
	if (sigsetjmp(beyond, 1))
		return 0;
	(void)*(volatile char *)page;
	return 1;
}

/*
 * What is mapped there, found by trying: every 64 KiB, and then page by page around what was found. Of what is long the
 * beginning: what is in use of it.
 */
static void look(uintptr_t from, uintptr_t to)
{
	unsigned run = 0;

	for (uintptr_t at = from; at < to; at += GRAIN) {
		if (!readable(at)) {
			run = 0;
			continue;
		}
		for (uintptr_t page = at; page < at + GRAIN && run < 128 && found_count < COUNT(found); page += PAGE, run++)
			if (readable(page))
				found[found_count++] = page;
	}
}

static void look_everywhere(void)
{
	struct sigaction action = { .sa_handler = jump_out, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	look(ABOVE, ABOVE + 0x20000000);	/* the first half GiB closely */
	for (uintptr_t at = ABOVE + 0x20000000; at < END; at += 0x1000000)
		look(at, at + GRAIN);
	look(0x7f000000, 0x7f100000);		/* and a place in low memory that jumps can name */
}

static void write_at(volatile void *place, unsigned long value, unsigned size)
{
	if (sigsetjmp(beyond, 1))
		return;
	if (size == 8)
		*(volatile unsigned long *)place = value;
	else if (size == 4)
		*(volatile unsigned *)place = value;
	else
		*(volatile char *)place = value;
}

static void fill(int value)
{
	for (volatile unsigned i = 0; i < found_count; i++) {
		if (sigsetjmp(beyond, 1))
			continue;
		for (unsigned at = 0; at < PAGE; at += 8)
			*(volatile unsigned long *)(found[i] + at) = 0x0101010101010101UL * (unsigned char)value;
	}
}

static void random_words(void)
{
	for (int i = 0; i < 2000 && !over && found_count; i++) {
		uintptr_t page = found[draw_below(found_count)];
		unsigned long value = draw_below(2) ? wild[draw_below(COUNT(wild))] : small[draw_below(COUNT(small))];

		if (draw_below(3) == 0)
			value = draw();
		write_at((void *)(page + draw_below(PAGE / 8) * 8 + draw_below(2) * 4), value, draw_below(2) ? 8 : 4);
	}
}

/* Small numbers in the first words of a page: where flags, counts and lengths are. */
static void random_heads(void)
{
	for (int i = 0; i < 4000 && !over && found_count; i++) {
		uintptr_t page = found[draw_below(found_count)];

		write_at((void *)(page + draw_below(64) * 4), draw_below(4) ? draw_below(16) : draw(), 4);
	}
}

static void flip_bits(void)
{
	for (int i = 0; i < 2000 && !over && found_count; i++) {
		char *place = (char *)found[draw_below(found_count)] + draw_below(PAGE);

		if (sigsetjmp(beyond, 1))
			continue;
		*(volatile char *)place ^= 1 << draw_below(8);
	}
}

static void fill_with_zeros(void)
{
	fill(0);
}

static void fill_with_ones(void)
{
	fill(0xff);
}

/*
 * Not by writing but by asking: all of these must be refused, and the process lives. Nothing of the program's is there,
 * so that munmap does nothing and says that all is well.
 */
static void ask_the_kernel(void)
{
	int ends[2];

	if (pipe(ends) || write(ends[1], "x", 1) != 1)
		_exit(1);
	for (unsigned i = 0; i < found_count; i++) {
		if (found[i] < ABOVE && found_count > 1) { /* can be written by us: no place for the results of calls */
			call(SYS_munmap, found[i], PAGE, 0, 0, 0, 0);
			continue;
		}
		call(SYS_munmap, found[i], PAGE, 0, 0, 0, 0);
		if (!readable(found[i]))
			dprintf(1, "%lx is gone\n", found[i]);
		long a = (long)found[i], results[] = {
			call(SYS_mprotect, a, PAGE, PROT_READ | PROT_WRITE, 0, 0, 0),
			call(SYS_mmap, a, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			call(SYS_mremap, a, PAGE, 2 * PAGE, 1, 0, 0),
			call(SYS_madvise, a, PAGE, 4, 0, 0, 0),
			call(SYS_read, ends[0], a, 1, 0, 0, 0),
			call(SYS_write, ends[1], a, 1, 0, 0, 0),
			call(SYS_getcwd, a, PAGE, 0, 0, 0, 0),
			call(SYS_sigaltstack, 0, a, 0, 0, 0, 0),
		};

		for (unsigned n = 0; n < COUNT(results); n++)
			if (results[n] >= 0 && a >= (long)ABOVE)
				dprintf(1, "call %u at %lx gives %ld\n", n, a, results[n]);
	}
}

/* Enters what is there at random places, with registers full of wild values. */
static void jump_around(void)
{
	for (int i = 0; i < 500 && found_count; i++) {
		uintptr_t place = found[draw_below(found_count)] + draw_below(PAGE);
		pid_t child = fork();

		if (child == 0) {
			struct sigaction standard = { .sa_handler = SIG_DFL };

			sigaction(SIGSEGV, &standard, NULL);
			sigaction(SIGBUS, &standard, NULL);
			alarm(1);
			__asm__ volatile("mov %1, %%rsi; mov %1, %%rdx; mov %1, %%r10; mov %1, %%rax; call *%0"
					 : : "r"(place), "r"(wild[draw_below(COUNT(wild))])
					 : "rsi", "rdx", "r10", "rax", "rcx", "r11", "memory");
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
}

static const struct {
	const char *name;
	void (*scribble)(void);
	int survives;
} hows[] = {
	{ "zeros", fill_with_zeros, 0 }, { "ones", fill_with_ones, 0 }, { "words", random_words, 0 },
	{ "heads", random_heads, 0 }, { "bits", flip_bits, 0 }, { "asking", ask_the_kernel, 1 },
	{ "jumping", jump_around, 0 },
};

static void *make_calls(void *argument)
{
	char text[128];
	struct stat status;
	int ends[2];

	if (pipe2(ends, O_NONBLOCK))
		return argument;
	while (!over) {
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		getppid();
		stat("/etc/passwd", &status);
		if (write(ends[1], text, sizeof(text)) < 0 || read(ends[0], text, sizeof(text)) < 0)
			sched_yield();
		munmap(mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 8 * PAGE);
		close(open("/dev/null", O_RDONLY));
		call(SYS_write, ends[1], wild[draw_below(COUNT(wild))], 1, 0, 0, 0);
		call(SYS_stat, wild[draw_below(COUNT(wild))], (uint64_t)&status, 0, 0, 0, 0);
		call(SYS_nanosleep, (uint64_t)&(struct timespec){ 0, 1000 }, 0, 0, 0, 0, 0);
		if (draw_below(100) == 0) {
			pid_t child = fork();

			if (child == 0)
				_exit(0);
			waitpid(child, NULL, 0);
		}
	}
	return NULL;
}

static void scribbler(unsigned how, unsigned turn)
{
	struct rlimit processes = { PROCESSES, PROCESSES };
	pthread_t threads[3];

	setpgid(0, 0); /* whoever of the two is first */
	if (setrlimit(RLIMIT_NPROC, &processes) || setresuid(NOBODY, NOBODY, NOBODY))
		_exit(1);
	seed(turn * 7 + how + 1);
	look_everywhere();
	shared->pages = found_count;
	if (hows[how].survives) {
		hows[how].scribble();
		_exit(42);
	}
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, make_calls, NULL);
	usleep(2000);
	for (;;)
		hows[how].scribble();
}

/* The scribbler, unless it has ended, and all that it has left. */
static int end(pid_t scribbler, int alive)
{
	kill(-scribbler, SIGKILL);
	if (alive && waitpid(scribbler, NULL, 0) != scribbler)
		return printf("lost\n"), 4;
	while (waitpid(-scribbler, NULL, 0) > 0) /* we are init */
		;
	return 0;
}

/* The other process: all its answers have to be right, all the time. */
static void bystander(void)
{
	unsigned long turns = 0;
	int ends[2], file = open("/tmp/bystander", O_RDWR | O_CREAT, 0600);
	char text[64], again[64];

	if (pipe(ends) || file < 0)
		_exit(1);
	for (;;) {
		int length = snprintf(text, sizeof(text), "turn %lu of %d", turns++, getpid()), status;

		memset(again, 0, sizeof(again));
		if (write(ends[1], text, length) != length || read(ends[0], again, sizeof(again)) != length ||
		    memcmp(text, again, length) != 0)
			_exit(2);
		if (pwrite(file, text, length, 100) != length || pread(file, again, length, 100) != length ||
		    memcmp(text, again, length) != 0)
			_exit(3);
		if (getppid() != 1 || access("/etc/passwd", R_OK) != 0 || close(-1) != -1 || errno != EBADF)
			_exit(4);
		if (turns % 50 == 0) {
			pid_t child = fork(), ended;

			if (child == 0)
				_exit(turns & 31);
			ended = child > 0 ? waitpid(child, &status, 0) : 0;
			if (child < 0 || ended != child || status != (int)(turns & 31) << 8) {
				dprintf(1, "fork %d, wait %d (%m), status %x in turn %lu\n", child, ended, status, turns);
				_exit(5);
			}
			shared->turns = turns;
		}
	}
}

int main(int argc, char **argv)
{
	unsigned how = 0, before;
	int turns = argc > 2 ? atoi(argv[2]) : 1, status;
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
		pid_t victim = fork(), scribbler_id = victim;

		if (victim == 0)
			scribbler(how, turn);
		setpgid(victim, victim);
		for (int ms = 0; shared->pages == 0 && ms < 10000; ms += 5) /* until it has looked around, once */
			usleep(5000);
		before = shared->turns;
		for (int ms = 0; ms < (hows[how].survives ? 20000 : TURN_MS); ms += 5) {
			usleep(5000);
			if (waitpid(victim, &status, WNOHANG) == victim) {
				victim = 0;
				break;
			}
		}
		if (hows[how].survives && (victim || status != 42 << 8))
			return printf("it was to survive: %d, status %x\n", victim, status), 3;
		if (end(scribbler_id, victim != 0))
			return 4;
		for (int ms = 0; shared->turns == before; ms++) {
			if (waitpid(other, &status, WNOHANG) != 0)
				return printf("the other process ended with %x\n", status), 5;
			if (ms == 20000)
				return printf("the other process is stuck\n"), 6;
			usleep(1000);
		}
	}
	printf("%u pages, the other process worked on\n", shared->pages);
	return 0;
}
