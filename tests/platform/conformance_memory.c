/* Guest memory and address spaces: reading, writing, mapping. */
#include "conformance.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

GUEST(spin_calls, "1: syscall\n jmp 1b\n");
GUEST(fetch, "1: mov (%rdi), %eax\n mov $39, %r9d\n xchg %rax, %r9\n syscall\n jmp 1b\n");

#define A 0x600000ULL /* where the tests map */

static void read_and_write(void)
{
	struct pf_context *ctx = LOAD(spin_calls);
	char out[3 * PAGE], in[3 * PAGE];
	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (char)(i * 7);
	map_anonymous(ctx, A, 3 * PAGE, PROT_READ | PROT_WRITE);
	CHECK_EQ(ops->write(ctx, A + 5, out, 2 * PAGE), 2 * PAGE);
	CHECK_EQ(ops->read(ctx, A + 5, in, 2 * PAGE), 2 * PAGE);
	CHECK(!memcmp(out, in, 2 * PAGE));
	CHECK_EQ(ops->read(ctx, A, in, 0), 0);
	CHECK_EQ(ops->read(ctx, 0, in, 1), -EFAULT);
	CHECK_EQ(ops->write(ctx, CODE, out, 1), -EFAULT); /* read-only */
}

static void transfers_end_at_the_first_bad_byte(void)
{
	struct pf_context *ctx = LOAD(spin_calls);
	static char buf[40 * PAGE];
	map_anonymous(ctx, A, 32 * PAGE, PROT_READ | PROT_WRITE);
	for (unsigned hole = 1; hole < 32; hole += 5) {
		CHECK_EQ(ops->protect(ctx, A + hole * PAGE, PAGE, PROT_NONE), 0);
		CHECK_EQ(ops->read(ctx, A + 3, buf, sizeof buf), hole * PAGE - 3);
		CHECK_EQ(ops->write(ctx, A + 3, buf, sizeof buf), hole * PAGE - 3);
		CHECK_EQ(ops->read(ctx, A + hole * PAGE + 9, buf, 8), -EFAULT);
		CHECK_EQ(ops->protect(ctx, A + hole * PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
	}
	CHECK_EQ(ops->read(ctx, A + 1, buf, sizeof buf), 32 * PAGE - 1);
	CHECK_EQ(ops->protect(ctx, A + PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(ops->write(ctx, A + 1, buf, 2 * PAGE), PAGE - 1);
	CHECK_EQ(ops->read(ctx, A + 1, buf, 2 * PAGE), 2 * PAGE);
}

static void scattered_transfers(void)
{
	struct pf_context *ctx = LOAD(spin_calls);
	char buf[64], back[64];
	struct pf_iov many[1025];
	struct pf_iov iov[] = {{A, 3}, {A + 100, 0}, {A + PAGE - 4, 8}, {A + 2 * PAGE - 2, 8}, {A + 50, 5}};
	map_anonymous(ctx, A, 2 * PAGE, PROT_READ | PROT_WRITE);
	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = (char)(i + 1);
	CHECK_EQ(ops->writev(ctx, iov, 3, buf, 11), 11);
	CHECK_EQ(ops->writev(ctx, iov, 5, buf, 24),
		 13); /* two of eight bytes are left in the fourth */
	CHECK_EQ(ops->writev(ctx, iov, 3, buf, 64), 11);
	CHECK_EQ(ops->writev(ctx, iov, 3, buf, 5), 5);
	CHECK_EQ(ops->readv(ctx, iov, 5, back, 24), 13);
	CHECK(!memcmp(buf, back, 13));
	CHECK_EQ(ops->readv(ctx, iov, 0, back, 24), 0);
	iov[0].base = 0;
	CHECK_EQ(ops->readv(ctx, iov, 5, back, 24), -EFAULT);
	iov[0].base = A;
	iov[2].base = PF_STUB_BASE;
	CHECK_EQ(ops->readv(ctx, iov, 5, back, 24), 3);
	for (int i = 0; i < 1025; i++)
		many[i] = (struct pf_iov){A + (uint64_t)i, 1};
	static char wide[1024];
	CHECK_EQ(ops->readv(ctx, many, 1024, wide, sizeof wide), 1024);
	CHECK(ops->readv(ctx, many, 1025, wide, sizeof wide) < 0);
}

static void the_stub_is_out_of_reach(void)
{
	struct pf_context *ctx = LOAD(spin_calls);
	char buf[2 * PAGE] = {0};
	const uint64_t end = PF_GUEST_END;
	CHECK_EQ(ops->read(ctx, PF_STUB_BASE, buf, 8), -EFAULT);
	CHECK_EQ(ops->write(ctx, PF_STUB_BASE + PAGE, buf, 8), -EFAULT);
	CHECK_EQ(ops->read(ctx, ~0ULL - 3, buf, 8), -EFAULT);
	CHECK_EQ(ops->read(ctx, 0xffffffffff600000ULL, buf, 8), -EFAULT);
	uint64_t vvar, vdso, vdso_end;
	ops->vdso(&vvar, &vdso, &vdso_end);
	if (vdso_end == end)
		CHECK_EQ(ops->read(ctx, end - 8, buf, 16), 8); /* cut off at the border */
	const int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	CHECK(ops->map(ctx, PF_STUB_BASE, PAGE, rw, anon, -1, 0) < 0);
	CHECK(ops->map(ctx, end - PAGE, 2 * PAGE, rw, anon, -1, 0) < 0);
	CHECK(ops->map(ctx, A, ~0ULL - A, rw, anon, -1, 0) < 0);
	CHECK(ops->unmap(ctx, PF_STUB_BASE, PAGE) < 0);
	CHECK(ops->unmap(ctx, A, end) < 0);
	CHECK(ops->protect(ctx, PF_STUB_BASE, PAGE, rw | PROT_EXEC) < 0);
	CHECK(ops->advise(ctx, PF_STUB_BASE, 2 * PAGE, MADV_DONTNEED) < 0);
	CHECK(ops->sync(ctx, PF_STUB_BASE, PAGE, MS_ASYNC) < 0);
	map_anonymous(ctx, A, PAGE, rw);
	CHECK(ops->remap(ctx, A, PAGE, PAGE, 0, PF_STUB_BASE) < 0);
	CHECK(ops->remap(ctx, PF_STUB_BASE, PAGE, PAGE, 0, A) < 0);
	uint32_t seen;
	CHECK_EQ(ops->cmpxchg(ctx, PF_STUB_BASE + PAGE, 0, 1, &seen), -EFAULT);
	run_to_syscall(ctx, 0);
}

static void map_protect_unmap(void)
{
	struct pf_context *ctx = LOAD(spin_calls);
	char byte = 1;
	struct pf_regs before = ctx->regs;
	map_anonymous(ctx, A, 4 * PAGE, PROT_READ | PROT_WRITE);
	poke(ctx, A + PAGE, 7);
	CHECK_EQ(ops->protect(ctx, A + PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(ops->write(ctx, A + PAGE, &byte, 1), -EFAULT);
	CHECK_EQ(peek(ctx, A + PAGE), 7);
	CHECK_EQ(ops->unmap(ctx, A + PAGE, PAGE), 0);
	CHECK_EQ(ops->read(ctx, A + PAGE, &byte, 1), -EFAULT);
	CHECK_EQ(ops->protect(ctx, A + PAGE, PAGE, PROT_READ), -ENOMEM);
	CHECK_EQ(ops->map(ctx, A + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -EINVAL);
	poke(ctx, A, 5);
	CHECK_EQ(ops->advise(ctx, A, PAGE, MADV_DONTNEED), 0);
	CHECK_EQ(peek(ctx, A), 0);
	CHECK_EQ(ops->sync(ctx, A, PAGE, MS_ASYNC), 0);
	CHECK_EQ(ops->sync(ctx, A + PAGE, PAGE, MS_ASYNC), -ENOMEM);
	CHECK(!memcmp(&before, &ctx->regs, sizeof before)); /* untouched, and really set: */
	run_to_syscall(ctx, 0);
}

static void remap_moves_pages(void)
{
	struct pf_context *ctx = LOAD(spin_calls);
	char byte;
	map_anonymous(ctx, A, 2 * PAGE, PROT_READ | PROT_WRITE);
	poke(ctx, A + PAGE, 11);
	CHECK_EQ(ops->remap(ctx, A, 2 * PAGE, 3 * PAGE, 0, A + 16 * PAGE), 0);
	CHECK_EQ(peek(ctx, A + 17 * PAGE), 11);
	CHECK_EQ(peek(ctx, A + 18 * PAGE), 0);
	CHECK_EQ(ops->read(ctx, A, &byte, 1), -EFAULT);
	CHECK(ops->remap(ctx, A, PAGE, PAGE, 0, A + PAGE) < 0); /* nothing there */
}

static void map_from_a_descriptor(void)
{
	struct pf_context *ctx = LOAD(fetch);
	int fds = count_fds();
	uint32_t words[2 * PAGE / 4];
	for (size_t i = 0; i < sizeof words / 4; i++)
		words[i] = (uint32_t)i;
	int fd = memfd(words, sizeof words);
	CHECK_EQ(ops->map(ctx, A, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, PAGE), 0);
	CHECK_EQ(ops->map(ctx, A + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0), 0);
	CHECK_EQ(peek(ctx, A), PAGE / 4);
	CHECK_EQ(peek(ctx, A + PAGE + 4), 1);
	ctx->regs.rdi = A + 4;
	run_to_syscall(ctx, 39);
	CHECK_EQ(ctx->regs.r9, PAGE / 4 + 1);
	poke(ctx, A, 0xabcd);
	poke(ctx, A + PAGE, 0x1234);
	CHECK(pread(fd, words, sizeof words, 0) == sizeof words);
	CHECK_EQ(words[PAGE / 4], 0xabcd); /* shared */
	CHECK_EQ(words[0], 0);		   /* private */
	close(fd);
	CHECK_EQ(count_fds(), fds);
}

static void a_failed_map_leaves_no_descriptor(void)
{
	struct pf_context *ctx = LOAD(spin_calls);
	int pipes[2], fd = memfd("x", 1);
	CHECK(pipe(pipes) == 0);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(ops->map(ctx, A + 1, PAGE, PROT_READ, MAP_SHARED, fd, 0), -EINVAL);
		CHECK_EQ(ops->map(ctx, A, PAGE, PROT_READ, MAP_SHARED, pipes[1], 0), -EACCES);
		CHECK_EQ(ops->map(ctx, A, PAGE, PROT_READ, MAP_SHARED, 9999, 0), -EBADF);
	}
	close(pipes[1]);
	/* Were one end of the pipe left in a stub or in the channel, this would not be the end of file. */
	char byte;
	alarm(10);
	CHECK_EQ(read(pipes[0], &byte, 1), 0);
	close(pipes[0]);
	CHECK_EQ(ops->map(ctx, A, PAGE, PROT_READ, MAP_SHARED, fd, 0), 0);
	CHECK_EQ(peek(ctx, A) & 0xff, 'x');
	close(fd);
}

/* Another thread of the guest scribbles over the stub's data page all the time.  Whatever that does to a
 * map or to what its own space reads, a map in another space gets its own file. */
#ifndef SCRIBBLE_AT
#define SCRIBBLE_AT "0x7fff80001000"
#endif
GUEST(scribble, "1: movabs $" SCRIBBLE_AT ", %rdi\n mov $1024, %ecx\n mov $-1, %rax\n rep stosl\n jmp 1b\n");

static void a_guest_can_not_spoil_the_maps_of_others(void)
{
	struct pf_context *ctx = LOAD(scribble), *other = LOAD(spin_calls), *worker;
	CHECK_EQ(ops->thread_new(ctx, &worker), 0);
	CHECK_EQ(ops->resume(worker), 0);
	int failures = 0;
	for (uint32_t i = 0; i < 3000; i++) {
		uint32_t mine = i * 2, theirs = i * 2 + 1;
		int fd = memfd(&mine, sizeof mine), fd_other = memfd(&theirs, sizeof theirs);
		int failed = ops->map(ctx, A, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		failures += failed != 0;
		CHECK_EQ(ops->map(other, A, PAGE, PROT_READ, MAP_SHARED, fd_other, 0), 0);
		CHECK_EQ(peek(other, A), theirs);
		close(fd);
		close(fd_other);
	}
	fprintf(stderr, "%d of 3000 maps were spoilt\n", failures);
	CHECK_EQ(ops->interrupt(worker), 0);
	CHECK(next_event().ctx == worker); /* which it may have killed with its space */
}

static void compare_and_swap(void)
{
	struct pf_context *ctx = LOAD(spin_calls);
	uint32_t seen = 0;
	poke(ctx, DATA, 5);
	CHECK_EQ(ops->cmpxchg(ctx, DATA, 5, 0xfffffff0, &seen), 0);
	CHECK_EQ(seen, 5);
	CHECK_EQ(peek(ctx, DATA), 0xfffffff0);
	CHECK_EQ(ops->cmpxchg(ctx, DATA, 5, 6, &seen), 0);
	CHECK_EQ(seen, 0xfffffff0);
	CHECK_EQ(peek(ctx, DATA), 0xfffffff0);
	CHECK_EQ(ops->cmpxchg(ctx, 0x1000000, 5, 6, &seen), -EFAULT);
	CHECK_EQ(ops->cmpxchg(ctx, CODE, 5, 6, &seen), -EFAULT); /* read-only */
	CHECK_EQ(ops->cmpxchg(ctx, DATA + 1, 5, 6, &seen), -EFAULT);
	run_to_syscall(ctx, 0);
}

static void vdso_lies_in_the_guests_part(void)
{
	struct pf_context *ctx = LOAD(spin_calls);
	uint64_t vvar, vdso, end;
	char magic[4];
	ops->vdso(&vvar, &vdso, &end);
	CHECK(vdso); /* this host has one */
	CHECK(vvar < vdso && vdso < end && end <= PF_GUEST_END);
	CHECK_EQ(ops->read(ctx, vdso, magic, 4), 4);
	CHECK(!memcmp(magic, "\177ELF", 4));
}

const struct test memory_tests[] = {
	{"read_and_write", read_and_write},
	{"transfers_end_at_the_first_bad_byte", transfers_end_at_the_first_bad_byte},
	{"scattered_transfers", scattered_transfers},
	{"the_stub_is_out_of_reach", the_stub_is_out_of_reach},
	{"map_protect_unmap", map_protect_unmap},
	{"remap_moves_pages", remap_moves_pages},
	{"map_from_a_descriptor", map_from_a_descriptor},
	{"a_failed_map_leaves_no_descriptor", a_failed_map_leaves_no_descriptor},
	{"a_guest_can_not_spoil_the_maps_of_others", a_guest_can_not_spoil_the_maps_of_others},
	{"compare_and_swap", compare_and_swap},
	{"vdso_lies_in_the_guests_part", vdso_lies_in_the_guests_part},
	{0},
};
