/* FP and vector state, in XSAVE's standard format (Intel SDM vol. 1, 13.4): in the CPU, in the frame of the signal
 * that brought the guest in, or in the slot's area. */
#include "systrap.h"

#include <cpuid.h>
#include <string.h>

#define LEGACY 512
#define HEADER 64
#define MXCSR_AT 24
#define MXCSR_MASK_AT 28
#define SOFTWARE_AT 464 /* the kernel's own words in the legacy part */
#define STATE_BV_AT 512
#define MXCSR_INIT 0x1f80u
#define FCW_INIT 0x37fu
/* AMX tiles: a process has them only when it has asked (arch_prctl(2), ARCH_REQ_XCOMP_PERM), which none can here. */
#define ASKED_FOR (3ULL << 17)

static size_t state_size;
static uint64_t features;
static uint32_t mxcsr_mask;

int fpu_init(void)
{
	unsigned a, b, c, d, low, high;
	struct {
		uint8_t bytes[512];
	} __attribute__((aligned(16))) image;
	if (!__get_cpuid_count(0xd, 0, &a, &b, &c, &d))
		return -ENOSYS;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	features = ((uint64_t)high << 32 | low) & ~ASKED_FOR;
	state_size = LEGACY + HEADER;
	for (unsigned i = 2; i < 63; i++) {
		if (!(features >> i & 1) || !__get_cpuid_count(0xd, i, &a, &b, &c, &d))
			continue;
		if (b + a > state_size) /* offset and size of one component */
			state_size = b + a;
	}
	if (state_size > AREA_SIZE)
		return -ENOSYS;
	memset(&image, 0, sizeof image);
	__asm__ volatile("fxsave64 %0" : "=m"(image));
	memcpy(&mxcsr_mask, image.bytes + MXCSR_MASK_AT, sizeof mxcsr_mask);
	if (!mxcsr_mask)
		mxcsr_mask = 0xffbf;
	return 0;
}

size_t op_fpu_size(void)
{
	return state_size;
}

static uint8_t *area_of(struct thread *thread)
{
	return (uint8_t *)thread->slot + SLOT_AREA;
}

/* Where the state is.  A frame that does not lie within the stack of the slot is no frame. */
static void find(struct thread *thread)
{
	uint64_t fp = thread->slot->fp, base = STUB_SLOTS + (uint64_t)thread->index * SLOT_SIZE;
	if (thread->fp_known)
		return;
	thread->fp_known = true;
	thread->fp = FP_LIVE;
	if (fp >= base + SLOT_STACK && fp <= base + SLOT_SIZE - state_size && !(fp & 63)) {
		thread->fp = FP_FRAME;
		thread->fp_at = (uint32_t)(fp - base);
	}
}

void fpu_reset(struct thread *thread)
{
	uint8_t *area = area_of(thread);
	uint32_t mxcsr = MXCSR_INIT, fcw = FCW_INIT;
	memset(area, 0, state_size);
	memcpy(area, &fcw, 2);
	memcpy(area + MXCSR_AT, &mxcsr, sizeof mxcsr);
	thread->fp = FP_AREA;
	thread->fp_known = true;
}

/* Copy a state that guests may be changing meanwhile, and leave nothing in it that the CPU would refuse. */
static void copy_sane(uint8_t *to, const uint8_t *from)
{
	uint64_t have;
	uint32_t mxcsr;
	memcpy(to, from, state_size);
	memset(to + SOFTWARE_AT, 0, LEGACY - SOFTWARE_AT);
	memcpy(&have, to + STATE_BV_AT, sizeof have);
	have &= features;
	memset(to + LEGACY, 0, HEADER);
	memcpy(to + STATE_BV_AT, &have, sizeof have);
	memcpy(&mxcsr, to + MXCSR_AT, sizeof mxcsr);
	mxcsr &= mxcsr_mask;
	memcpy(to + MXCSR_AT, &mxcsr, sizeof mxcsr);
}

/* The bytes of the state, in the slot; NULL: its thread is dead. */
static const uint8_t *state_of(struct thread *thread)
{
	find(thread);
	if (thread->fp == FP_FRAME)
		return (uint8_t *)thread->slot + thread->fp_at;
	if (thread->fp == FP_LIVE && order(thread, ORDER_XSAVE, 0, 0, 0, 0, 0, 0, 0) < 0)
		return NULL;
	return area_of(thread);
}

int fpu_copy(struct thread *to, struct thread *from)
{
	const uint8_t *state = state_of(from);
	if (!state)
		return -ESRCH;
	copy_sane(area_of(to), state);
	to->fp = FP_AREA;
	to->fp_known = true;
	return 0;
}

ssize_t op_get_fpu(struct pf_context *ctx, void *buf, size_t size)
{
	uint8_t sane[AREA_SIZE];
	if (ctx->running || size < state_size)
		return -EINVAL;
	const uint8_t *state = state_of(thread_of(ctx));
	if (!state)
		return -ESRCH;
	copy_sane(sane, state);
	/* what the kernel's own frames say there: which features the area has */
	memcpy(sane + SOFTWARE_AT, &features, sizeof features);
	memcpy(buf, sane, state_size);
	return (ssize_t)state_size;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
	while (count--)
		if (*bytes++)
			return false;
	return true;
}

int op_set_fpu(struct pf_context *ctx, const void *buf, size_t size)
{
	struct thread *thread = thread_of(ctx);
	const uint8_t *state = buf;
	uint64_t have;
	uint32_t mxcsr;
	if (ctx->running || size != state_size)
		return -EINVAL;
	memcpy(&have, state + STATE_BV_AT, sizeof have);
	memcpy(&mxcsr, state + MXCSR_AT, sizeof mxcsr);
	if (have & ~features || mxcsr & ~mxcsr_mask || !is_zero(state + STATE_BV_AT + 8, HEADER - 8))
		return -EINVAL;
	find(thread);
	copy_sane(area_of(thread), state);
	thread->fp = FP_AREA;
	return 0;
}

int op_reset_fpu(struct pf_context *ctx)
{
	if (ctx->running)
		return -EINVAL;
	fpu_reset(thread_of(ctx));
	return 0;
}
