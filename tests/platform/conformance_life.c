/* Spaces and threads: made, copied, ended in any order, killed; nothing leaks. */
#include "conformance.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

GUEST(calls, "1: syscall\n jmp 1b\n");
GUEST(vector_calls, "1: movaps %xmm7, (%rsi)\n syscall\n jmp 1b\n");
GUEST(spin, "1: jmp 1b\n");

#define S 0x600000ULL

static void a_space_has_only_what_was_mapped(void)
{
	struct pf_context *ctx;
	char byte;
	CHECK_EQ(ops->space_new(&ctx), 0);
	CHECK_EQ(ctx->space->nthreads, 1);
	uint64_t vvar, vdso, end;
	ops->vdso(&vvar, &vdso, &end);
	char path[64], line[512];
	snprintf(path, sizeof path, "/proc/%d/maps", ctx->host_tid);
	FILE *maps = ctx->host_tid ? fopen(path, "re") : NULL;
	while (maps && fgets(line, sizeof line, maps)) {
		unsigned long long from, to;
		CHECK(sscanf(line, "%llx-%llx", &from, &to) == 2);
		if (from < PF_GUEST_END)
			CHECK(from >= vvar && to <= end);
		else
			CHECK(!strstr(line, "[stack]") && !strstr(line, "rwxp"));
	}
	if (maps)
		fclose(maps);
	CHECK_EQ(ops->read(ctx, CODE, &byte, 1), -EFAULT);
	ops->thread_end(ctx);
}

static void fork_copies_private_and_shares_shared_memory(void)
{
	struct pf_context *parent = LOAD(calls), *child;
	int fd = memfd("\0\0\0\0", 4);
	CHECK_EQ(ops->map(parent, S, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0), 0);
	close(fd);
	poke(parent, DATA, 1);
	poke(parent, S, 1);
	parent->regs.rax = 100;
	run_to_syscall(parent, 100);
	parent->regs.rbx = 0x1122334455667788;
	parent->regs.fs_base = 0x7000;
	CHECK_EQ(ops->space_fork(parent, &child), 0);
	CHECK(child->space != parent->space);
	CHECK(!child->running && !parent->running);
	CHECK(!memcmp(&child->regs, &parent->regs, sizeof child->regs));
	poke(child, DATA, 2);
	poke(parent, DATA + 4, 3);
	CHECK_EQ(peek(parent, DATA), 1);
	CHECK_EQ(peek(child, DATA), 2);
	CHECK_EQ(peek(child, DATA + 4), 0);
	poke(child, S, 9);
	CHECK_EQ(peek(parent, S), 9);
	CHECK_EQ(ops->unmap(child, DATA, PAGE), 0);
	CHECK_EQ(peek(parent, DATA), 1);
	parent->regs.rax = 101;
	child->regs.rax = 102;
	run_to_syscall(child, 102);
	CHECK_EQ(child->regs.rbx, 0x1122334455667788);
	CHECK_EQ(child->regs.fs_base, 0x7000);
	run_to_syscall(parent, 101);
	CHECK_EQ(parent->regs.rbx, 0x1122334455667788);
}

/* Fork and thread_new copy the vectors, too; a parked host thread gets them as a new one does. */
static void vectors_are_copied(void)
{
	struct pf_context *ctx = LOAD(vector_calls), *made[3];
	size_t size = ops->fpu_size();
	unsigned char *state = calloc(1, size), vector[16];
	CHECK_EQ(ops->get_fpu(ctx, state, size), size);
	for (int i = 0; i < 16; i++)
		state[160 + 7 * 16 + i] = (unsigned char)(i + 1); /* xmm7 in the legacy area */
	state[512] |= 2;					  /* XSTATE_BV: SSE is in use */
	CHECK_EQ(ops->set_fpu(ctx, state, size), 0);
	CHECK_EQ(ops->thread_new(ctx, &made[0]), 0);
	CHECK_EQ(ops->reset_fpu(made[0]), 0);
	ops->thread_end(made[0]);
	CHECK_EQ(ops->thread_new(ctx, &made[0]), 0);
	CHECK_EQ(ops->thread_new(ctx, &made[1]), 0);
	CHECK_EQ(ops->space_fork(ctx, &made[2]), 0);
	for (int i = 0; i < 3; i++) {
		made[i]->regs.rsi = DATA;
		made[i]->regs.rax = 39;
		run_to_syscall(made[i], 39);
		CHECK_EQ(ops->read(made[i], DATA, vector, 16), 16);
		CHECK(!memcmp(vector, state + 160 + 7 * 16, 16));
	}
	free(state);
}

static void threads_share_memory(void)
{
	struct pf_context *ctx = LOAD(calls), *thread;
	ctx->regs.rbx = 77;
	CHECK_EQ(ops->thread_new(ctx, &thread), 0);
	CHECK(thread->space == ctx->space);
	CHECK_EQ(ctx->space->nthreads, 2);
	CHECK(!memcmp(&thread->regs, &ctx->regs, sizeof ctx->regs));
	poke(thread, DATA, 5);
	CHECK_EQ(peek(ctx, DATA), 5);
	map_anonymous(thread, S, PAGE, PROT_READ | PROT_WRITE);
	poke(ctx, S, 6);
	ctx->regs.rax = 1;
	thread->regs.rax = 2;
	CHECK_EQ(ops->resume(ctx), 0);
	CHECK_EQ(ops->resume(thread), 0);
	for (int i = 0; i < 2; i++) {
		struct pf_event event = next_event();
		CHECK_EQ(event.kind, PF_SYSCALL);
		CHECK_EQ(event.ctx->regs.orig_rax, event.ctx == ctx ? 1 : 2);
		CHECK_EQ(event.ctx->regs.rbx, 77);
	}
}

/* Every order in which four threads can end, with a new thread between the ends. */
static void threads_end_in_any_order(void)
{
	for (int order = 0; order < 256; order++) {
		struct pf_context *threads[5];
		int picks[4] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6};
		bool seen[4] = {false};
		for (int i = 0; i < 4; i++)
			seen[picks[i]] = true;
		if (!(seen[0] && seen[1] && seen[2] && seen[3]))
			continue;
		threads[0] = LOAD(calls);
		for (int i = 1; i < 4; i++)
			CHECK_EQ(ops->thread_new(threads[0], &threads[i]), 0);
		for (int i = 0; i < 4; i++) {
			struct pf_context *victim = threads[picks[i]];
			victim->regs.rax = (uint64_t)i;
			run_to_syscall(victim, i);
			if (i == 1) {
				CHECK_EQ(ops->thread_new(victim, &threads[4]), 0);
				threads[4]->regs.rax = 50;
			}
			ops->thread_end(victim);
		}
		CHECK_EQ(threads[4]->space->nthreads, 1);
		run_to_syscall(threads[4], 50);
		ops->thread_end(threads[4]);
	}
	settle();
	CHECK(count_children() <= 1);
}

static void thousands_of_forks_and_threads_leave_nothing(void)
{
	struct pf_context *ctx = LOAD(calls), *child;
	struct pf_event event;
	int fds = count_fds(), children = count_children();
	for (int i = 0; i < 2000; i++) {
		CHECK_EQ(ops->space_fork(ctx, &child), 0);
		child->regs.rax = 7;
		run_to_syscall(child, 7);
		ops->thread_end(child);
	}
	for (int i = 0; i < 2000; i++) {
		CHECK_EQ(ops->thread_new(ctx, &child), 0);
		child->regs.rax = 8;
		run_to_syscall(child, 8);
		ops->thread_end(child);
	}
	for (int round = 0; round < 20; round++) {
		struct pf_context *threads[100];
		for (int i = 0; i < 100; i++)
			CHECK_EQ(ops->thread_new(ctx, &threads[i]), 0);
		for (int i = 0; i < 100; i++)
			ops->thread_end(threads[i]);
	}
	for (int i = 0; i < 1000 && count_children() > children + 64; i++) {
		CHECK_EQ(ops->wait(&event, false), 0);
		usleep(1000);
	}
	CHECK(count_children() <= children + 64); /* a back-end may keep a few threads for the next ones */
	CHECK(count_fds() <= fds + 1); /* it may have one space in store */
	ops->thread_end(ctx);
	settle();
	CHECK(count_children() <= 2);
	CHECK(count_fds() <= fds);
}

static void wait_without_contexts(void)
{
	struct pf_event event;
	CHECK_EQ(ops->wait(&event, true), -ECHILD);
	struct pf_context *ctx = LOAD(calls);
	CHECK_EQ(ops->wait(&event, false), 0);
	CHECK_EQ(event.kind, PF_NONE);
	ops->thread_end(ctx);
	CHECK_EQ(ops->wait(&event, true), -ECHILD);
}

/* Killed from outside: each context of the space reports PF_GONE once, running or resumed later. */
static void a_killed_space_is_gone(void)
{
	struct pf_context *ctx = LOAD(spin), *thread, *stopped, *other = LOAD(calls);
	if (!ctx->host_tid)
		return;
	CHECK_EQ(ops->thread_new(ctx, &thread), 0);
	CHECK_EQ(ops->thread_new(ctx, &stopped), 0);
	CHECK_EQ(ops->resume(ctx), 0);
	CHECK_EQ(ops->resume(thread), 0);
	CHECK_EQ(kill(ctx->space->host_pid, SIGKILL), 0);
	struct pf_event first = next_event(), second = next_event();
	CHECK_EQ(first.kind, PF_GONE);
	CHECK_EQ(second.kind, PF_GONE);
	CHECK(first.ctx != second.ctx && first.ctx != stopped && second.ctx != stopped);
	CHECK(ops->map(stopped, S, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0);
	CHECK_EQ(ops->resume(stopped), 0);
	first = next_event();
	CHECK_EQ(first.kind, PF_GONE);
	CHECK(first.ctx == stopped);
	other->regs.rax = 3;
	run_to_syscall(other, 3);
	ops->thread_end(stopped);
	ops->thread_end(ctx);
	ops->thread_end(thread);
	other->regs.rax = 4;
	run_to_syscall(other, 4);
}

/* Killed while the space's leader works for the sentry, with threads beside it that nobody reaps. */
static void a_space_killed_at_work_does_not_hang(void)
{
	for (int round = 0; round < 40; round++) {
		struct pf_context *ctx = LOAD(spin), *thread;
		CHECK_EQ(ops->thread_new(ctx, &thread), 0);
		CHECK_EQ(ops->resume(thread), 0);
		int victim = ctx->space->host_pid, killer = fork();
		if (!killer) {
			usleep((useconds_t)(round * 50));
			kill(victim, SIGKILL);
			_exit(0);
		}
		int failed = 0;
		for (int i = 0; i < 2000000 && !failed; i++)
			failed = ops->protect(ctx, DATA, PAGE, PROT_READ);
		CHECK_EQ(failed, -ESRCH);
		waitpid(killer, NULL, 0);
		struct pf_event event = next_event();
		CHECK_EQ(event.kind, PF_GONE);
		CHECK(event.ctx == thread);
		ops->thread_end(thread);
		CHECK_EQ(ops->resume(ctx), 0);
		CHECK_EQ(next_event().kind, PF_GONE);
		ops->thread_end(ctx);
	}
}

/* While the leader works for the sentry, ticks and all, what its siblings report stays to be reported. */
static void work_loses_no_events(void)
{
	struct pf_context *ctx = LOAD(calls), *threads[3];
	for (int i = 0; i < 3; i++)
		CHECK_EQ(ops->thread_new(ctx, &threads[i]), 0);
	for (int round = 0; round < 30; round++) {
		for (int i = 0; i < 3; i++) {
			threads[i]->regs.rax = (uint64_t)i;
			CHECK_EQ(ops->resume(threads[i]), 0);
		}
		for (int i = 0; i < 500; i++)
			CHECK_EQ(ops->protect(ctx, DATA, PAGE, i & 1 ? PROT_READ : PROT_NONE), 0);
		alarm(10);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(next_event().kind, PF_SYSCALL);
	}
}

#define NOBODY_ELSE 64123 /* a user without other processes */

/* The host's limit is reached exactly: who has ended may still be there when the next is wanted. */
static void those_that_have_ended_make_room(void)
{
	struct pf_context *ctx, *child, *thread;
	struct rlimit limit;
	if (getuid() != 0)
		return;
	ops->shutdown();
	CHECK_EQ(setresuid(NOBODY_ELSE, NOBODY_ELSE, NOBODY_ELSE), 0);
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
	for (int limited = 0; limited < 2; limited++) {
		CHECK_EQ(ops->init(stub_fd), 0);
		ctx = LOAD(calls);
		CHECK_EQ(ops->thread_new(ctx, &thread), 0);
		for (int i = 0; i < (limited ? 200 : 1); i++) {
			CHECK_EQ(ops->space_fork(ctx, &child), 0);
			child->regs.rax = 7;
			run_to_syscall(child, 7);
			if (!limited)
				usleep(50000); /* a back-end may make one space in store by and by */
			limit.rlim_cur = limit.rlim_max = 1 + (rlim_t)count_children();
			ops->thread_end(child);
			CHECK_EQ(ops->space_new(&child), 0);
			ops->thread_end(child);
		}
		ops->thread_end(thread);
		ops->thread_end(ctx);
		ops->shutdown();
		CHECK_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
	}
	CHECK_EQ(ops->init(stub_fd), 0);
}

static void stubs_die_with_the_sentry(void)
{
	int tids[3], ready[2];
	ops->shutdown();
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* orphans come to us */
	CHECK(pipe(ready) == 0);
	int sentry = fork();
	if (!sentry) {
		CHECK_EQ(ops->init(stub_fd), 0);
		struct pf_context *ctx = LOAD(spin), *thread, *child;
		CHECK_EQ(ops->thread_new(ctx, &thread), 0);
		CHECK_EQ(ops->space_fork(ctx, &child), 0);
		CHECK_EQ(ops->resume(ctx), 0);
		CHECK_EQ(ops->resume(thread), 0);
		tids[0] = ctx->host_tid, tids[1] = thread->host_tid, tids[2] = child->host_tid;
		CHECK(write(ready[1], tids, sizeof tids) == sizeof tids);
		pause();
	}
	CHECK(read(ready[0], tids, sizeof tids) == sizeof tids);
	kill(sentry, SIGKILL);
	for (int i = 0; i < 5000 && count_children(); i++) {
		while (waitpid(-1, NULL, __WALL | WNOHANG) > 0)
			;
		usleep(1000);
	}
	CHECK_EQ(count_children(), 0);
	for (int i = 0; i < 3; i++)
		CHECK(!tids[i] || (kill(tids[i], 0) < 0 && errno == ESRCH));
}

const struct test life_tests[] = {
	{"a_space_has_only_what_was_mapped", a_space_has_only_what_was_mapped},
	{"fork_copies_private_and_shares_shared_memory", fork_copies_private_and_shares_shared_memory},
	{"vectors_are_copied", vectors_are_copied},
	{"threads_share_memory", threads_share_memory},
	{"threads_end_in_any_order", threads_end_in_any_order},
	{"thousands_of_forks_and_threads_leave_nothing", thousands_of_forks_and_threads_leave_nothing},
	{"wait_without_contexts", wait_without_contexts},
	{"a_killed_space_is_gone", a_killed_space_is_gone},
	{"a_space_killed_at_work_does_not_hang", a_space_killed_at_work_does_not_hang},
	{"work_loses_no_events", work_loses_no_events},
	{"those_that_have_ended_make_room", those_that_have_ended_make_room},
	{"stubs_die_with_the_sentry", stubs_die_with_the_sentry},
	{0},
};
