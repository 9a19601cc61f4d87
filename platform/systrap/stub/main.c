/* The stub: all the code of ours that a guest's process holds.
 *
 * Freestanding and position-independent, without vector registers.  Whatever brings a guest thread in here, its
 * registers are put into its slot, the slot is given to the sentry, and orders are carried out until one says
 * that the guest goes on.  What a guest does to the stub's memory it does to itself.
 */
#include "stub.h"

#include <elf.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define YOUNG_SPIN 32 /* times as long */

static const struct world *const world = (const struct world *)STUB_WORLD;

static void ring(struct slot *slot)
{
	uint32_t asleep = load(&world->asleep);
	uint64_t one = 1;
	if (asleep == 1)
		call3(SYS_write, STUB_BELL, (long)&one, sizeof one);
	else if (asleep)
		call3(SYS_futex, (long)&slot->turn, FUTEX_WAKE, 1);
}

static void hand_over_as(struct slot *slot, uint32_t turn)
{
	slot->cpu = current_cpu();
	__atomic_exchange_n(&slot->turn, turn, __ATOMIC_SEQ_CST);
	ring(slot);
}

static void hand_over(struct slot *slot)
{
	hand_over_as(slot, TURN_SENTRY);
}

static const uint32_t *bell(uint32_t index)
{
	return (const uint32_t *)(STUB_WORLD + BELLS_AT) + index;
}

/* Until it is our turn: spin a while, then sleep. */
static void await(struct slot *slot)
{
	uint32_t left = world->cpu == current_cpu() ? 0 : world->spin, turn;
	if (slot->young) {
		left *= YOUNG_SPIN;
		slot->young = 0;
	}
	for (;;) {
		/* The sentry rings after it has given the slot back: whoever finds the bell rung finds that, too. */
		uint32_t rung = load(bell(slot->bell));
		if ((turn = load(&slot->turn)) == TURN_STUB)
			return;
		if (turn == TURN_DOZE) {
			host(SYS_futex, (long)bell(slot->bell), FUTEX_WAIT, rung, 0, 0, 0);
			slot->up = 1;
		} else if (left) {
			left--;
			__builtin_ia32_pause();
		} else {
			__atomic_compare_exchange_n(&slot->turn, &turn, TURN_DOZE, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST);
		}
	}
}

/* The slot has been handed over; returns when the guest is to go on. */
void stub_wait(struct slot *slot)
{
	if (load(&slot->turn) != TURN_STUB)
		ring(slot); /* the trampoline may not have; once too often does no harm */
	for (;;) {
		await(slot);
		uint32_t order = load(&slot->word);
		if (order & ORDER_WAKE && slot->wake) {
			call3(SYS_futex, (long)bell(slot->wake - 1), FUTEX_WAKE, INT32_MAX);
			order &= ~ORDER_WAKE;
		}
		if (order == ORDER_RESULT || order == ORDER_RESTORE) {
			slot->word = order;
			return;
		}
		if (order != ORDER_ERRAND)
			obey(slot, order);
		if (order == ORDER_FORK || order == ORDER_ERRAND)
			hand_over_as(slot, TURN_DOZE); /* the child is waiting for this CPU */
		else
			hand_over(slot);
	}
}

static uint64_t read_fs(void)
{
	uint64_t base;
	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static void use_gs(uint64_t base)
{
	__asm__ volatile("wrgsbase %0" : : "r"(base));
}

void stub_leave(struct slot *slot)
{
	if (slot->word == ORDER_RESULT)
		slot->regs.rax = slot->number;
	if (slot->regs.fs_base != read_fs())
		__asm__ volatile("wrfsbase %0" : : "r"(slot->regs.fs_base));
	use_gs(slot->regs.gs_base ? slot->regs.gs_base : (uint64_t)slot);
	if (slot->fp)
		xrstor((void *)slot->fp);
	restore(slot);
}

/* The sentry wants this guest thread, whose registers are all in the slot. */
void stub_kicked(struct slot *slot)
{
	slot->fp = 0;
	slot->kick = 0;
	slot->word = EVENT_INTERRUPTED;
	hand_over(slot);
	stub_wait(slot);
	stub_leave(slot);
}

/* A fresh host thread: its slot was the sentry's from the beginning. */
void thread_main(struct slot *slot)
{
	if (own_stack(slot) < 0)
		call3(SYS_exit, 1, 0, 0);
	use_gs((uint64_t)slot);
	stub_wait(slot);
	stub_leave(slot);
}

static void leave_nothing(void)
{
	for (int fd = STUB_RECEIVED; fd < STUB_RECEIVED + 3; fd++)
		call3(SYS_close, fd, 0, 0);
}

/* Die with the sentry. */
static void bind_to(int parent)
{
	call3(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0);
	if (parent && call3(SYS_getppid, 0, 0, 0) != parent)
		call3(SYS_exit, 1, 0, 0);
}

static bool map_shared(uint64_t at, size_t len, int prot, int fd, uint64_t offset)
{
	return host(SYS_mmap, (long)at, (long)len, prot, MAP_SHARED | MAP_FIXED, fd, (long)offset) == (long)at;
}

/* A fresh process, in its first slot. */
void process_main(uint64_t facts, int parent)
{
	bind_to(parent);
	if (!map_shared(STUB_FACTS, FACTS_WINDOW, PROT_READ, STUB_RECEIVED + 2, facts) ||
	    call3(SYS_dup2, STUB_RECEIVED, STUB_SOCKET, 0) != STUB_SOCKET)
		call3(SYS_exit, 1, 0, 0);
	leave_nothing();
	thread_main((struct slot *)STUB_SLOTS);
}

static void template_main(struct slot *slot)
{
	hand_over(slot);
	thread_main(slot);
}

/* The first stub: everything is set up, but for what the sentry orders before it lets guests near. */
void stub_main(const uint64_t *stack)
{
	struct slot *slot = (struct slot *)STUB_SLOTS;
	uint64_t *data = (uint64_t *)((char *)slot + SLOT_DATA);
	const uint64_t *word = stack + 1;
	if (!map_shared(STUB_SLOTS, WINDOW_SIZE, PROT_READ | PROT_WRITE, STUB_RECEIVED, 0) ||
	    !map_shared(STUB_FACTS, FACTS_WINDOW, PROT_READ, STUB_RECEIVED + 1, 0) ||
	    !map_shared(STUB_WORLD, WORLD_SIZE, PROT_READ, STUB_RECEIVED + 2, 0) || catch_signals() < 0)
		call3(SYS_exit, 1, 0, 0);
	leave_nothing();
	for (int vectors = 0; vectors < 2; word++) /* argv, envp */
		vectors += !*word;
	for (; word[0] != AT_NULL; word += 2)
		if (word[0] == AT_SYSINFO_EHDR)
			data[0] = word[1];
	bind_to(0);
	start_on(slot, template_main); /* the stack that exec made will go */
}
