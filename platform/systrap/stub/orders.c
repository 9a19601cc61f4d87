/* What the sentry has a stub do, and what a stub answers without the sentry. */
#include "stub.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

static const struct world *const world = (const struct world *)STUB_WORLD;

/* Take `count` descriptors from the channel: they are STUB_RECEIVED and up, or none is. */
static long receive(int count)
{
	char byte;
	union {
		struct cmsghdr head;
		uint64_t space[8];
	} control;
	struct iovec iov = {&byte, 1};
	struct msghdr message;
	message.msg_name = NULL;
	message.msg_namelen = 0;
	message.msg_iov = &iov;
	message.msg_iovlen = 1;
	message.msg_control = &control;
	message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
	message.msg_flags = 0;
	long got = call3(SYS_recvmsg, STUB_SOCKET, (long)&message, MSG_DONTWAIT);
	if (got != 1)
		return got < 0 ? got : -EIO;
	return *(int *)CMSG_DATA(&control.head) == STUB_RECEIVED ? 0 : -EIO;
}

static void drop(int count)
{
	for (int i = 0; i < count; i++)
		call3(SYS_close, STUB_RECEIVED + i, 0, 0);
}

static long map(const uint64_t *call)
{
	long failed = receive(1);
	long result = failed ? failed
			     : host(SYS_mmap, (long)call[1], (long)call[2], (long)call[3], (long)call[4],
				    STUB_RECEIVED, (long)call[6]);
	drop(1);
	return result;
}

static long fork_process(const uint64_t *call)
{
	long failed = receive(3);
	long result = failed;
	if (!failed)
		do /* a signal may end the wait for consent */
			result = clone_process(call[2], call[3], (int)call[4]);
		while (result == -EINTR);
	drop(3);
	return result;
}

static void store(volatile uint8_t *to, const uint8_t *from, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		to[i] = from[i];
}

static void sync_cores(long page, long size)
{
	/* Every change of protection interrupts the CPUs that run this space, which makes them fetch code anew. */
	call3(SYS_mprotect, page, size, PROT_READ | PROT_EXEC);
	call3(SYS_mprotect, page, size, PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* Replace `count` (at most 8) bytes of code that other threads may be running; those are safe to run in any mixture
 * of old and new that starts with an invalid opcode where `traps` says so (a bit for each byte). */
static long change_code(uint8_t *to, const uint8_t *bytes, uint64_t count, uint64_t traps, bool alone)
{
	long page = (long)to & ~4095L, size = (((long)to + (long)count - 1) & ~4095L) - page + 4096;
	uint64_t *word = (uint64_t *)((uint64_t)to & ~7UL), shift = ((uint64_t)to & 7) * 8, value, mask;
	long failed = call3(SYS_mprotect, page, size, PROT_READ | PROT_WRITE | PROT_EXEC);
	if (failed)
		return failed;
	if (shift / 8 + count <= 8) {
		mask = (count == 8 ? ~0UL : (1UL << count * 8) - 1) << shift;
		value = 0;
		for (uint64_t i = 0; i < count; i++)
			value |= (uint64_t)bytes[i] << (i * 8);
		__atomic_store_n(word, (*word & ~mask) | value << shift, __ATOMIC_SEQ_CST);
	} else if (alone) {
		store(to, bytes, count);
	} else {
		const uint8_t invalid = 0x06;
		for (uint64_t i = count; i-- > 0;)
			if (traps >> i & 1)
				store(to + i, &invalid, 1);
		sync_cores(page, size);
		for (uint64_t i = 1; i < count; i++)
			if (!(traps >> i & 1))
				store(to + i, bytes + i, 1);
		sync_cores(page, size);
		for (uint64_t i = count; i-- > 0;)
			if (traps >> i & 1)
				store(to + i, bytes + i, 1);
	}
	return call3(SYS_mprotect, page, size, PROT_READ | PROT_EXEC);
}

static long save_area(struct slot *slot)
{
	uint64_t *head = (uint64_t *)((char *)slot + SLOT_AREA + 512);
	for (int i = 0; i < 8; i++)
		((volatile uint64_t *)head)[i] = 0;
	xsave((char *)slot + SLOT_AREA);
	return 0;
}

void obey(struct slot *slot, uint32_t order)
{
	const uint64_t *call = slot->call;
	void *data = (char *)slot + SLOT_DATA;
	long result = -ENOSYS;
	switch (order) {
	case ORDER_CALL:
		result = host((long)call[0], (long)call[1], (long)call[2], (long)call[3], (long)call[4],
			      (long)call[5], (long)call[6]);
		break;
	case ORDER_MAP:
		result = map(call);
		break;
	case ORDER_COPY_IN:
		result = (long)copy(data, (void *)call[1], call[2]);
		break;
	case ORDER_COPY_OUT:
		result = (long)copy((void *)call[1], data, call[2]);
		break;
	case ORDER_CMPXCHG:
		result = cmpxchg((uint32_t *)call[1], (uint32_t)call[2], (uint32_t)call[3]);
		break;
	case ORDER_XSAVE:
		result = save_area(slot);
		break;
	case ORDER_THREAD:
		do
			result = clone_thread(call[2], (struct slot *)call[1]);
		while (result == -EINTR);
		break;
	case ORDER_FORK:
		result = fork_process(call);
		break;
	case ORDER_STORE:
		result = change_code((uint8_t *)call[1], data, call[2], call[3], call[4]);
		break;
	default:
		break;
	}
	slot->number = (uint64_t)result;
}

typedef int clock_function(int, void *);

/* Where a fault in the vDSO leads: back to ask_vdso. */
void clock_fault(void **escape)
{
	__builtin_longjmp(escape, 1);
}

static bool ask_vdso(struct slot *slot, int clock, uint64_t *now)
{
	void *escape[5];
	if (__builtin_setjmp(escape))
		return false;
	slot->escape = (uint64_t)escape;
	int failed = ((clock_function *)world->vdso_clock)(clock, now);
	slot->escape = 0;
	return !failed;
}

static bool tell_time(struct slot *slot)
{
	uint64_t now[2], clock = (uint32_t)slot->args[0];
	if (!world->vdso_clock || clock > CLOCK_BOOTTIME || clock == CLOCK_PROCESS_CPUTIME_ID ||
	    clock == CLOCK_THREAD_CPUTIME_ID || slot->args[1] >= PF_GUEST_END - sizeof now)
		return false;
	if (!ask_vdso(slot, (int)clock, now))
		return false;
	return copy((void *)slot->args[1], now, sizeof now) == 0;
}

static bool tell_mask(struct slot *slot, const struct facts *facts)
{
	if (slot->args[1] || slot->args[3] != 8 || slot->args[2] >= PF_GUEST_END - 8)
		return false;
	return !slot->args[2] || copy((void *)slot->args[2], &facts->sigmask, 8) == 0;
}

/* The calls that only ask what the guest may know: true, with the result in slot.number.  Whatever is not
 * plain is left to the sentry. */
int stub_answer(struct slot *slot)
{
	const struct facts *facts = (const struct facts *)STUB_FACTS + ((uint64_t)slot - STUB_SLOTS) / SLOT_SIZE;
	long result = 0;
	switch (slot->number) {
	case SYS_sched_yield:
		if (world->crowded)
			call3(SYS_sched_yield, 0, 0, 0);
		break;
	case SYS_clock_gettime:
		if (!facts->known || !tell_time(slot))
			return false;
		break;
	case SYS_rt_sigprocmask:
		if (!facts->known || !tell_mask(slot, facts))
			return false;
		break;
	case SYS_getpid:
		result = facts->pid;
		break;
	case SYS_gettid:
		result = facts->tid;
		break;
	case SYS_getppid:
		result = facts->ppid;
		break;
	case SYS_getuid:
		result = facts->uid;
		break;
	case SYS_geteuid:
		result = facts->euid;
		break;
	case SYS_getgid:
		result = facts->gid;
		break;
	case SYS_getegid:
		result = facts->egid;
		break;
	default:
		return false;
	}
	if (!facts->known)
		return false;
	slot->number = (uint64_t)result;
	return true;
}
