/* What becomes of the critical sections of restartable sequences. */
#include "harness.h"
#include "rseq.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

#define MEMBARRIER_RSEQ 0x80
#define MEMBARRIER_REGISTER_RSEQ 0x100

/* A critical section that spins until *commit is set, then stores `value` to *to and gives 1; 0: it was aborted.
 * The section's description is `spin_section`, its start and its abort handler `spin_start`, `spin_abort`. */
extern char spin_start[], spin_end[], spin_abort[];
extern struct section spin_section, stranger_section;
long spin(struct area *area, volatile int *commit, volatile int *to, int value, volatile int *inside);

__asm__(".pushsection .data\n"
	"	.balign 32\n"
	"spin_section:\n"
	"	.long 0, 0\n"
	"	.quad spin_start, spin_end - spin_start, spin_abort\n"
	"stranger_section:\n"		/* the same with another signature */
	"	.long 0, 0\n"
	"	.quad spin_start, spin_end - spin_start, stranger_abort\n"
	".popsection\n"
	".text\n"
	"	.long 0x53053053\n"
	"spin_abort:\n"
	"	xor	%eax, %eax\n"
	"	ret\n"
	"	.long 0x12345678\n"
	"stranger_abort:\n"
	"	xor	%eax, %eax\n"
	"	ret\n"
	"spin:\n"
	"spin_start:\n"
	"	movl	$1, (%r8)\n"
	"1:	cmpl	$0, (%rsi)\n"
	"	je	1b\n"
	"	mov	%ecx, (%rdx)\n"
	"spin_end:\n"
	"	mov	$1, %eax\n"
	"	ret\n");

static volatile int commit, stored, inside, never, seen_signal;
static volatile uint64_t seen_rip, seen_cs;

static void note(int number, siginfo_t *info, void *context)
{
	(void)info;
	seen_signal = number;
	seen_rip = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	seen_cs = own.cs;
}

static void catch(int number)
{
	struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
	CHECK_OK(sigaction(number, &action, NULL));
}

static long spin_in(struct section *section)
{
	own.cs = (uint64_t)section;
	return spin(&own, &never, &stored, 1, &inside);
}

static void *keep_busy(void *unused)
{
	while (!commit)
		__builtin_ia32_pause();
	return unused;
}

static void in_a_while(void)
{
	struct itimerval when = {.it_value.tv_usec = 20000};
	CHECK_OK(setitimer(ITIMER_REAL, &when, NULL));
}

CASE(a_signal_aborts_a_critical_section, "rseq(2)")
{
	register_own();
	catch(SIGALRM);
	/* Until it is a signal, not another thread's turn, that does it. */
	for (int i = 0; i < 100 && !seen_signal; i++) {
		in_a_while();
		while (!seen_signal)
			CHECK_EQ(spin_in(&spin_section), 0);
	}
	CHECK_EQ(seen_signal, SIGALRM);
	CHECK_EQ(seen_rip, (uint64_t)spin_abort);
	CHECK_EQ(seen_cs, 0);
	CHECK_EQ(own.cs, 0);
}

CASE(losing_the_cpu_aborts_a_critical_section, "rseq(2)")
{
	pthread_t thread;

	stay_on(some_cpu());
	register_own();
	CHECK_EQ(pthread_create(&thread, NULL, keep_busy, NULL), 0);
	CHECK_EQ(spin_in(&spin_section), 0);
	CHECK_EQ(own.cs, 0);
	commit = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(stored, 0);
}

CASE(a_section_that_is_left_alone_commits, "rseq(2)")
{
	register_own();
	commit = 1;
	do {
		own.cs = (uint64_t)&spin_section;
	} while (!spin(&own, &commit, &stored, 7, &inside));
	CHECK_EQ(stored, 7);
}

CASE(a_fault_aborts_a_critical_section, "rseq(2)")
{
	volatile int *nowhere = unmapped();

	register_own();
	catch(SIGSEGV);
	own.cs = (uint64_t)&spin_section;
	CHECK_EQ(spin(&own, nowhere, &stored, 7, &inside), 0);
	if (!seen_signal) { /* the CPU was lost first */
		own.cs = (uint64_t)&spin_section;
		CHECK_EQ(spin(&own, nowhere, &stored, 7, &inside), 0);
	}
	CHECK_EQ(seen_signal, SIGSEGV);
	CHECK_EQ(seen_rip, (uint64_t)spin_abort);
	CHECK_EQ(seen_cs, 0);
}

CASE(a_signal_forgets_a_section_that_is_over, "rseq(2)")
{
	register_own();
	catch(SIGUSR1);
	seen_cs = 1;
	own.cs = (uint64_t)&spin_section;
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(seen_signal, SIGUSR1);
	CHECK(seen_rip < (uint64_t)spin_abort || seen_rip >= (uint64_t)spin_end);
	CHECK_EQ(seen_cs, 0);
}

static int generation;

static void *commit_once(void *unused)
{
	static __thread struct area mine;

	leave_library();
	CHECK_OK(rseq(&mine, SIZE, 0, SIGNATURE));
	while (!stored) {
		int value = __atomic_load_n(&generation, __ATOMIC_SEQ_CST);
		mine.cs = (uint64_t)&spin_section;
		spin(&mine, &commit, &stored, value, &inside);
	}
	CHECK_OK(rseq(&mine, SIZE, UNREGISTER, SIGNATURE));
	return unused;
}

CASE(membarrier_aborts_the_sections_of_others, "membarrier(2)")
{
	pthread_t thread;

	if (!__rseq_size)
		SKIP("the C library has not registered one");
	CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_REGISTER_RSEQ, 0, 0));
	for (int round = 0; round < 20; round++) {
		commit = stored = inside = 0;
		__atomic_store_n(&generation, 1, __ATOMIC_SEQ_CST);
		CHECK_EQ(pthread_create(&thread, NULL, commit_once, NULL), 0);
		while (!inside)
			__builtin_ia32_pause();
		__atomic_store_n(&generation, 2, __ATOMIC_SEQ_CST);
		CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_RSEQ, 0, 0));
		commit = 1; /* a section that has seen the old generation is no more */
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK_EQ(stored, 2);
	}
}

/* A counter for each CPU, without atomic instructions. */
static struct counter { volatile long value, pad[15]; } counters[4096];

static int add_here(struct area *area, uint32_t cpu)
{
	__asm__ goto(".pushsection .data\n"
		     "	.balign 32\n"
		     "3:	.long 0, 0\n"
		     "	.quad 1f, 2f - 1f, 4f\n"
		     ".popsection\n"
		     "	lea	3b(%%rip), %%rax\n"
		     "	mov	%%rax, 8(%[area])\n"
		     "1:	cmp	%[cpu], 4(%[area])\n"
		     "	jne	%l[aborted]\n"
		     "	mov	(%[counter]), %%rax\n"
		     "	pause\n"
		     "	inc	%%rax\n"
		     "	mov	%%rax, (%[counter])\n"
		     "2:\n"
		     ".pushsection .text.unlikely, \"ax\"\n"
		     "	.byte 0x0f, 0xb9, 0x3d\n"
		     "	.long 0x53053053\n"
		     "4:	jmp	%l[aborted]\n"
		     ".popsection\n"
		     :
		     : [area] "r"(area), [cpu] "r"(cpu), [counter] "r"(&counters[cpu].value)
		     : "rax", "memory", "cc"
		     : aborted);
	return 1;
aborted:
	return 0;
}

#define ADDERS 4
#define ADDITIONS 200000

static void *add_often(void *unused)
{
	struct area *area = library_area();
	for (int i = 0; i < ADDITIONS; i++)
		while (!add_here(area, *(volatile uint32_t *)&area->cpu_id_start))
			;
	return unused;
}

CASE(counters_of_each_cpu_lose_nothing, "rseq(2)")
{
	pthread_t threads[ADDERS];
	long sum = 0;

	if (!__rseq_size)
		SKIP("the C library has not registered one");
	catch(SIGALRM);
	struct itimerval often = {{0, 2000}, {0, 2000}};
	CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
	for (int i = 0; i < ADDERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, add_often, NULL), 0);
	for (int i = 0; i < ADDERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < 4096; i++)
		sum += counters[i].value;
	CHECK_EQ(sum, (long)ADDERS * ADDITIONS);
}

/* What makes no sense is death by SIGSEGV, which no handler sees. */
static void check_fatal(void (*body)(void))
{
	pid_t child = fork_child();
	if (child == 0) {
		catch(SIGSEGV);
		catch(SIGALRM);
		struct itimerval often = {{0, 10000}, {0, 10000}};
		CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
		register_own();
		body();
		for (long i = 0; i < 20000000000; i++)
			__builtin_ia32_pause();
		_exit(3);
	}
	int status;
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void point_nowhere(void)
{
	own.cs = 8;
}

CASE(a_section_that_is_not_there_is_fatal, "rseq(2)")
{
	check_fatal(point_nowhere);
}

static void use_a_strange_signature(void)
{
	spin_in(&stranger_section);
}

CASE(a_wrong_signature_is_fatal, "rseq(2)")
{
	check_fatal(use_a_strange_signature);
}

static void use_a_later_version(void)
{
	static struct section later;
	later = spin_section;
	later.version = 1;
	spin_in(&later);
}

CASE(an_unknown_version_is_fatal, "rseq(2)")
{
	check_fatal(use_a_later_version);
}

static void abort_within(void)
{
	static struct section within;
	within = spin_section;
	within.abort = within.start + 1;
	spin_in(&within);
}

CASE(an_abort_handler_within_the_section_is_fatal, "rseq(2)")
{
	check_fatal(abort_within);
}

static void unmap_it(void)
{
	char *page = map_pages(1, MAP_PRIVATE);
	CHECK_OK(rseq(&own, SIZE, UNREGISTER, SIGNATURE));
	CHECK_OK(rseq(page, SIZE, 0, SIGNATURE));
	munmap(page, 4096);
}

CASE(an_area_that_is_unmapped_is_fatal, "rseq(2)")
{
	check_fatal(unmap_it);
}

static void make_it_readonly(void)
{
	char *page = map_pages(1, MAP_PRIVATE);
	CHECK_OK(rseq(&own, SIZE, UNREGISTER, SIGNATURE));
	CHECK_OK(mprotect(page, 4096, PROT_READ));
	rseq(page, SIZE, 0, SIGNATURE);
}

CASE(an_area_that_can_not_be_written_is_fatal, "rseq(2)")
{
	check_fatal(make_it_readonly);
}

