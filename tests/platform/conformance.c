/* The conformance suite of the platform contract (platform/include/platform.h).
 *
 *   conformance list              prints the names
 *   conformance STUB NAME...      runs these, each in its own process; STUB is the stub program
 */
#include "conformance.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_HELD 1024

extern const struct pf_ops PLATFORM_OPS;
static struct pf_ops noted; /* the back-end's, but what it hands out is noted, to be ended with the test */
const struct pf_ops *ops = &noted;
int stub_fd, cpus;

static struct pf_context *held[MAX_HELD];
static int nheld;

static const struct test *const files[] = {event_tests, memory_tests, life_tests, wait_tests, state_tests};

static int hold(int failed, struct pf_context *ctx)
{
	CHECK(nheld < MAX_HELD);
	if (!failed)
		held[nheld++] = ctx;
	return failed;
}

static int space_new(struct pf_context **ctx)
{
	int failed = PLATFORM_OPS.space_new(ctx);
	return hold(failed, *ctx);
}

static int space_fork(struct pf_context *ctx, struct pf_context **child)
{
	int failed = PLATFORM_OPS.space_fork(ctx, child);
	return hold(failed, *child);
}

static int thread_new(struct pf_context *ctx, struct pf_context **thread)
{
	int failed = PLATFORM_OPS.thread_new(ctx, thread);
	return hold(failed, *thread);
}

/* Tests sleep instead of waiting, and then the guest must have run. */
static int resume(struct pf_context *ctx)
{
	int failed = PLATFORM_OPS.resume(ctx);
	if (PLATFORM_OPS.flush)
		PLATFORM_OPS.flush();
	return failed;
}

static void thread_end(struct pf_context *ctx)
{
	int at = 0;
	while (at < nheld && held[at] != ctx)
		at++;
	CHECK(at < nheld);
	held[at] = held[--nheld];
	PLATFORM_OPS.thread_end(ctx);
}

static void note(void)
{
	noted = PLATFORM_OPS;
	noted.space_new = space_new;
	noted.space_fork = space_fork;
	noted.thread_new = thread_new;
	noted.thread_end = thread_end;
	noted.resume = resume;
}

int memfd(const void *data, size_t len)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	return fd;
}

void map_anonymous(struct pf_context *ctx, uint64_t addr, size_t len, int prot)
{
	CHECK_EQ(ops->map(ctx, addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), 0);
}

struct pf_context *load(const char *code, size_t len)
{
	struct pf_context *ctx;
	CHECK_EQ(ops->space_new(&ctx), 0);
	int fd = memfd(code, len);
	CHECK_EQ(ops->map(ctx, CODE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0), 0);
	close(fd);
	map_anonymous(ctx, DATA, 2 * PAGE, PROT_READ | PROT_WRITE);
	ctx->regs.rip = CODE;
	ctx->regs.rsp = DATA + 2 * PAGE;
	return ctx;
}

struct pf_event next_event(void)
{
	struct pf_event event;
	do
		CHECK_EQ(ops->wait(&event, true), 0);
	while (event.kind == PF_NONE);
	CHECK(!event.ctx->running);
	pf_complete(ops, event.ctx);
	return event;
}

struct pf_event run(struct pf_context *ctx)
{
	CHECK_EQ(ops->resume(ctx), 0);
	CHECK(ctx->running);
	struct pf_event event = next_event();
	CHECK(event.ctx == ctx);
	return event;
}

void run_to_syscall(struct pf_context *ctx, long nr)
{
	struct pf_event event = run(ctx);
	CHECK_EQ(event.kind, PF_SYSCALL);
	CHECK_EQ(ctx->regs.orig_rax, nr);
}

uint32_t peek(struct pf_context *ctx, uint64_t addr)
{
	uint32_t value;
	CHECK_EQ(ops->read(ctx, addr, &value, sizeof value), sizeof value);
	return value;
}

void poke(struct pf_context *ctx, uint64_t addr, uint32_t value)
{
	CHECK_EQ(ops->write(ctx, addr, &value, sizeof value), sizeof value);
}

int count_children(void)
{
	char path[64];
	int count = 0, self = getpid();
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	while ((entry = readdir(proc))) {
		int pid = atoi(entry->d_name), parent = 0;
		if (pid <= 0)
			continue;
		snprintf(path, sizeof path, "/proc/%d/stat", pid);
		FILE *stat = fopen(path, "re");
		if (!stat)
			continue;
		if (fscanf(stat, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent == self) {
			int threads = 1;
			char line[128];
			fclose(stat);
			snprintf(path, sizeof path, "/proc/%d/status", pid);
			stat = fopen(path, "re");
			while (stat && fgets(line, sizeof line, stat))
				sscanf(line, "Threads: %d", &threads);
			count += threads;
		}
		if (stat)
			fclose(stat);
	}
	closedir(proc);
	return count;
}

int count_fds(void)
{
	int count = 0;
	DIR *fds = opendir("/proc/self/fd");
	while (readdir(fds))
		count++;
	closedir(fds);
	return count;
}

void settle(void)
{
	struct pf_event event;
	for (int i = 0; i < 2000 && count_children() > 1; i++) {
		ops->wait(&event, false);
		usleep(1000);
	}
}

static int run_test(const struct test *test, const char *stub)
{
	int status, pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(120);
		stub_fd = open(stub, O_RDONLY | O_CLOEXEC);
		CHECK(stub_fd >= 0);
		CHECK_EQ(ops->init(stub_fd), 0);
		test->run();
		ops->shutdown();
		while (nheld)
			thread_end(held[0]);
		CHECK_EQ(count_children(), 0);
		exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	printf("%s %s\n", status ? "FAIL" : "ok", test->name);
	return status != 0;
}

int main(int argc, char **argv)
{
	int failed = 0, ran = 0;
	cpu_set_t set;
	note();
	cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	setbuf(stdout, NULL);
	for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
		for (const struct test *test = files[f]; test->name; test++) {
			if (argc == 2 && !strcmp(argv[1], "list")) {
				puts(test->name);
				ran++;
				continue;
			}
			bool wanted = argc == 2;
			for (int i = 2; i < argc; i++)
				wanted = wanted || !strcmp(argv[i], test->name);
			if (wanted) {
				failed += run_test(test, argv[1]);
				ran++;
			}
		}
	}
	return failed || !ran;
}
