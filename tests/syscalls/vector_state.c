/*
 * All state of the processor beside the general registers, in the XSAVE format: x87, SSE, AVX, AVX-512 with its mask
 * registers, and AMX's tiles where there are some. Calls, handlers and other threads leave it alone.
 */
#include "harness.h"
#include "fixtures.h"

#include <cpuid.h>
#include <pthread.h>

#define AREA 16384
#define X87 0x1ul
#define PROTECTION_KEYS 0x200ul /* not data: what memory may be used */
#define TILES 0x40000ul
#define TILE_CONFIGURATION 0x20000ul

static unsigned long all; /* the components that user code has here */

static void find_components(void)
{
	unsigned a, b, c, d, low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		SKIP("the processor has no XSAVE");
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	all = (low | (unsigned long)high << 32) & ~PROTECTION_KEYS;
	if (all & TILES && syscall(SYS_arch_prctl, 0x1023, 18) != 0) /* ARCH_REQ_XCOMP_PERM */
		all &= ~(TILES | TILE_CONFIGURATION);
	__cpuid_count(0xd, 0, a, b, c, d);
	if (b > AREA)
		SKIP("%u bytes of state", b);
}

static void place_of(int component, unsigned *offset, unsigned *size)
{
	unsigned c, d;

	__cpuid_count(0xd, component, *size, *offset, c, d);
}

/* An image with data of its own in each component; loading it must not fault. */
static void make_state(unsigned char *area, unsigned salt)
{
	unsigned long have = all & ~(TILES | TILE_CONFIGURATION);

	memset(area, 0, AREA);
	*(unsigned short *)area = 0x37f;		/* x87 control word */
	*(unsigned *)(area + 24) = 0x1f80;		/* MXCSR */
	area[4] = 0xff;					/* all x87 registers in use ... */
	for (int i = 0; i < 8; i++) {
		*(unsigned long *)(area + 32 + 16 * i) = 0x8000000000000000ul | (salt * 977ul + i);
		*(unsigned short *)(area + 40 + 16 * i) = 0x3fff; /* ... by numbers from 1 to 2 */
	}
	for (int i = 0; i < 256; i++)
		area[160 + i] = salt + i;		/* xmm0-15 */
	for (int component = 2; component < 18; component++) {
		unsigned offset, size;

		if (!(have >> component & 1))
			continue;
		place_of(component, &offset, &size);
		for (unsigned i = 0; i < size; i++)
			area[offset + i] = salt * 31 + component * 7 + i;
	}
	if (all & TILES) {
		unsigned offset, size;

		place_of(17, &offset, &size);
		area[offset] = 1;			/* palette */
		for (int tile = 0; tile < 8; tile++) {
			*(unsigned short *)(area + offset + 16 + 2 * tile) = 64;
			area[offset + 48 + tile] = 16;
		}
		place_of(18, &offset, &size);
		for (unsigned i = 0; i < size; i++)
			area[offset + i] = salt + i * 3;
		have |= TILES | TILE_CONFIGURATION;
	}
	*(unsigned long *)(area + 512) = have;		/* XSTATE_BV */
}

/* Loads a state, makes a call `count` times without touching anything, and stores what the state is then. */
static void around_calls(const unsigned char *before, unsigned char *after, long number, long first, long second,
			 long third, long count)
{
	memset(after, 0, AREA);
	__asm__ volatile("mov %k[all], %%eax; mov %[all], %%rdx; shr $32, %%rdx; xrstor64 (%[before]);"
			 "1: mov %[third], %%rdx; mov %[number], %%rax; syscall; dec %[count]; jnz 1b;"
			 "mov %k[all], %%eax; mov %[all], %%rdx; shr $32, %%rdx; xsave64 (%[after])"
			 : [count] "+r"(count)
			 : [before] "r"(before), [after] "r"(after), [all] "r"(all), [number] "r"(number),
			   [third] "r"(third), "D"(first), "S"(second)
			 : "rax", "rcx", "rdx", "r11", "cc", "memory");
	__asm__ volatile("fninit");
}

static const char *difference(const unsigned char *before, const unsigned char *after)
{
	static char text[100];

	for (int i = 0; i < AREA; i++) {
		/* x87: not the last instruction's address and opcode; not what the processor leaves unused */
		if ((i >= 6 && i < 24) || (i >= 28 && i < 32) || (i >= 416 && i < 576))
			continue;
		if (i >= 32 && i < 160 && i % 16 >= 10)
			continue;
		if (before[i] != after[i]) {
			snprintf(text, sizeof(text), "byte %d is %#x, was %#x", i, after[i], before[i]);
			return text;
		}
	}
	return NULL;
}

static void check_calls(unsigned salt, long number, long first, long second, long third, long count)
{
	static __thread unsigned char before[AREA] __attribute__((aligned(64)));
	static __thread unsigned char after[AREA] __attribute__((aligned(64)));
	const char *wrong;

	make_state(before, salt);
	around_calls(before, after, number, first, second, third, count);
	wrong = difference(before, after);
	if (wrong)
		FAIL("call %ld: %s", number, wrong);
}

CASE(calls_keep_vector_and_mask_registers, "syscall(2)")
{
	int ends[2], zero = CHECK_OK(open("/dev/zero", O_RDONLY));
	static char buffer[PAGE];

	find_components();
	CHECK_OK(pipe(ends));
	for (unsigned turn = 0; turn < 20; turn++) {
		check_calls(turn, SYS_getppid, 0, 0, 0, 50);
		check_calls(turn, SYS_sched_yield, 0, 0, 0, 20);
		check_calls(turn, SYS_clock_gettime, CLOCK_MONOTONIC, (long)buffer, 0, 50);
		check_calls(turn, SYS_read, zero, (long)buffer, PAGE, 50);
		check_calls(turn, SYS_write, ends[1], (long)buffer, 8, 10);
		check_calls(turn, SYS_read, ends[0], (long)buffer, 8, 10);
		check_calls(turn, SYS_mprotect, (long)buffer & -PAGE, 0, PROT_READ, 10);
		check_calls(turn, SYS_brk, 0, 0, 0, 10);
		check_calls(turn, SYS_uname, (long)buffer, 0, 0, 10);
		check_calls(turn, SYS_stat, (long)"/", (long)buffer, 0, 10);
		check_calls(turn, SYS_close, -1, 0, 0, 10);
	}
}

static void ruin_state(int number)
{
	static unsigned char other[AREA] __attribute__((aligned(64)));
	unsigned low = all, high = all >> 32;

	count_signal(number);
	make_state(other, 0x99 + signals_seen);
	__asm__ volatile("xrstor64 (%0)" : : "r"(other), "a"(low), "d"(high) : "memory");
	syscall(SYS_getppid);
	__asm__ volatile("fninit");
}

CASE(handlers_keep_vector_and_mask_registers, "signal(7)")
{
	find_components();
	handle(SIGUSR1, ruin_state, 0);
	check_calls(3, SYS_tgkill, getpid(), gettid(), SIGUSR1, 50);
	CHECK_EQ(signals_seen, 50);
	alarm_often(ruin_state, SA_RESTART);
	for (unsigned turn = 0; signals_seen < 100; turn++) {
		check_calls(turn, SYS_getppid, 0, 0, 0, 1000);
		check_calls(turn, SYS_sched_yield, 0, 0, 0, 100);
	}
	still();
}

static void *use_state(void *salt)
{
	for (unsigned turn = 0; turn < 20; turn++) {
		check_calls((long)salt + turn, SYS_getppid, 0, 0, 0, 200);
		check_calls((long)salt + turn, SYS_sched_yield, 0, 0, 0, 30);
	}
	return NULL;
}

CASE(threads_have_vector_and_mask_registers_of_their_own, "pthreads(7)")
{
	pthread_t threads[6];

	find_components();
	alarm_often(ruin_state, SA_RESTART);
	for (long i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, use_state, (void *)(i * 40)), 0);
	for (long i = 0; i < 6; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	still();
}

/* Long computing without a call: whoever stops the thread then must put back all that it had. */
CASE(preemption_keeps_vector_and_mask_registers, "sched(7)")
{
	static unsigned char before[AREA] __attribute__((aligned(64))), after[AREA] __attribute__((aligned(64)));
	unsigned low, high;

	find_components();
	low = all, high = all >> 32;
	alarm_often(ruin_state, SA_RESTART);
	for (unsigned turn = 0; turn < 10; turn++) {
		const char *wrong;

		make_state(before, turn);
		__asm__ volatile("xrstor64 (%0)\n\tmov $20000000, %%ecx\n1:\tdec %%ecx\n\tjnz 1b\n\t"
				 "xsave64 (%1)\n\tfninit"
				 : : "r"(before), "r"(after), "a"(low), "d"(high)
				 : "rcx", "cc", "memory");
		wrong = difference(before, after);
		if (wrong)
			FAIL("%s", wrong);
	}
	still();
	CHECK(signals_seen > 0);
}

CASE(fork_and_its_child_keep_vector_and_mask_registers, "fork(2)")
{
	static unsigned char before[AREA] __attribute__((aligned(64))), after[AREA] __attribute__((aligned(64)));
	const char *wrong;
	int status;

	find_components();
	for (unsigned turn = 0; turn < 10; turn++) {
		pid_t parent = getpid();

		make_state(before, turn);
		around_calls(before, after, SYS_fork, 0, 0, 0, 1);
		wrong = difference(before, after);
		if (getpid() != parent)
			_exit(wrong ? 1 : 0);
		if (wrong)
			FAIL("parent: %s", wrong);
		CHECK_OK(wait(&status));
		CHECK_EQ(status, 0);
	}
}
