/* prctl(2): memory that is written or executed, calls answered by their process, and rare settings. */
#include "harness.h"
#include "fixtures.h"

#include <sys/auxv.h>
#include <sys/prctl.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif
enum { REFUSE_EXEC_GAIN = 1, NO_INHERIT = 2 };

CASE(MDWE_keeps_written_memory_from_being_executed, "prctl(2)")
{
	char *page = map_pages(1, MAP_PRIVATE);
	char *code = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	pid_t child;

	CHECK_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), 0);
	CHECK_OK(prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), REFUSE_EXEC_GAIN);
	CHECK_ERR(mprotect(page, PAGE, PROT_READ | PROT_EXEC), EACCES);
	CHECK_ERR(mprotect(code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), EACCES);
	CHECK_OK(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
	CHECK_OK(mprotect(code, PAGE, PROT_READ | PROT_WRITE));
	CHECK_ERR(mprotect(code, PAGE, PROT_READ | PROT_EXEC), EACCES);
	CHECK_ERR((long)mmap(NULL, PAGE, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EACCES);
	CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK_ERR(prctl(PR_SET_MDWE, 0, 0, 0, 0), EPERM);
	CHECK_ERR(prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN | NO_INHERIT, 0, 0, 0), EPERM);
	CHECK_ERR(prctl(PR_SET_MDWE, 4, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_MDWE, NO_INHERIT, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_GET_MDWE, 1, 0, 0, 0), EINVAL);
	child = fork_child();
	if (child == 0)
		_exit(mprotect(page, PAGE, PROT_EXEC) == -1 ? 0 : 1);
	CHECK_EXITS(child, 0);
}

CASE(MDWE_with_NO_INHERIT_stays_with_the_process, "prctl(2)")
{
	pid_t child;

	CHECK_OK(prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN | NO_INHERIT, 0, 0, 0));
	child = fork_child();
	if (child == 0)
		_exit(prctl(PR_GET_MDWE, 0, 0, 0, 0));
	CHECK_EXITS(child, 0);
}

static volatile char selector;
static volatile int seen_call, seen_code;

static void on_sys(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	selector = 0;
	seen_call = info->si_syscall;
	seen_code = info->si_code;
}

CASE(user_dispatch_turns_calls_into_SIGSYS, "prctl(2)")
{
	struct sigaction action = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };
	pid_t child;

	CHECK_OK(sigaction(SIGSYS, &action, NULL));
	CHECK_OK(prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector));
	CHECK(getppid() > 0);
	selector = 1;
	CHECK_EQ(syscall(SYS_getppid), SYS_getppid);
	CHECK_EQ(seen_call, SYS_getppid);
	CHECK_EQ(seen_code, 2);
	child = fork_child();
	if (child == 0) {
		selector = 1;
		_exit(syscall(SYS_getppid) == SYS_getppid);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0));
	selector = 1;
	CHECK(syscall(SYS_getppid) > 0);
}

CASE(user_dispatch_kills_for_a_bad_selector, "prctl(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector);
		selector = 7;
		syscall(SYS_getppid);
		_exit(0);
	}
	CHECK_KILLED(child, SIGSYS);
	child = fork_child();
	if (child == 0) {
		char *page = map_pages(1, MAP_PRIVATE);

		prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, page);
		munmap(page, PAGE);
		syscall(SYS_getppid);
		_exit(0);
	}
	CHECK_KILLED(child, SIGSEGV);
}

CASE(user_dispatch_spares_a_range_and_checks_arguments, "prctl(2)")
{
	CHECK_OK(prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, PAGE, 1UL << 47, 0));
	CHECK(syscall(SYS_getppid) > 0);
	CHECK_OK(prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0));
	CHECK_ERR(prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 1, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SYSCALL_USER_DISPATCH, 9, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 8, -8L, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 8, -8L), EFAULT);
}

CASE(MCE_KILL_is_remembered, "prctl(2)")
{
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
	CHECK_OK(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
	CHECK_OK(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
	CHECK_ERR(prctl(PR_MCE_KILL, 2, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, 3, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, 0, 1, 0), EINVAL);
	CHECK_ERR(prctl(PR_MCE_KILL_GET, 1, 0, 0, 0), EINVAL);
}

CASE(GET_AUXV_is_what_the_program_was_started_with, "prctl(2)")
{
	unsigned long auxv[64] = { 0 };
	long size = CHECK_OK(prctl(PR_GET_AUXV, auxv, sizeof(auxv), 0, 0));
	bool found = false;

	CHECK(size >= 300);
	for (int i = 0; auxv[i]; i += 2)
		found |= auxv[i] == AT_PHDR && auxv[i + 1] == getauxval(AT_PHDR);
	CHECK(found);
	CHECK_EQ(prctl(PR_GET_AUXV, 0, 0, 0, 0), size);
	CHECK_ERR(prctl(PR_GET_AUXV, 0, 8, 0, 0), EFAULT);
	CHECK_ERR(prctl(PR_GET_AUXV, auxv, 8, 1, 0), EINVAL);
}

CASE(SET_MM_tells_its_size_and_wants_a_capability, "prctl(2)")
{
	unsigned size;

	CHECK_OK(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0));
	CHECK_EQ(size, 104);
	CHECK_ERR(prctl(PR_SET_MM, PR_SET_MM_BRK, 0, 1, 0), EINVAL);
	if (geteuid() == 0)
		CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(prctl(PR_SET_MM, PR_SET_MM_BRK, &size, 0, 0), EPERM);
	CHECK_ERR(prctl(PR_SET_MM, 0, 0, 0, 0), EPERM);
	CHECK_ERR(prctl(57, 1, 0, 0, 0), EPERM); /* PR_SET_IO_FLUSHER */
	CHECK_ERR(prctl(58, 0, 0, 0, 0), EPERM);
}

CASE(MEMORY_MERGE_and_speculation_check_arguments, "prctl(2)")
{
	CHECK_EQ(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0), 0);
	CHECK_OK(prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0), 1);
	CHECK_ERR(prctl(PR_SET_MEMORY_MERGE, 1, 1, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_GET_SPECULATION_CTRL, 99, 0, 0, 0), ENODEV);
	CHECK_ERR(prctl(PR_GET_SPECULATION_CTRL, 0, 1, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SPECULATION_CTRL, 99, 0, 0, 0), ENODEV);
	CHECK_ERR(prctl(PR_SET_SPECULATION_CTRL, 0, 0, 1, 0), EINVAL);
	CHECK_ERR(prctl(0x59616d61, 1, 0, 0, 0), EINVAL); /* PR_SET_PTRACER: no Yama */
}

static int name_memory(void *start, size_t length, const char *name)
{
	return prctl(0x53564d41 /* PR_SET_VMA */, 0 /* PR_SET_VMA_ANON_NAME */, start, length, name);
}

static const char *line_of(void *start)
{
	static char line[64];
	char *found;

	snprintf(line, sizeof(line), "%lx-", (long)start);
	found = strstr(text_of("/proc/self/maps"), line);
	CHECK(found != NULL);
	*strchrnul(found, '\n') = '\0';
	return found;
}

static void need_names(void *start)
{
	if (name_memory(start, PAGE, "try") == -1 && errno == EINVAL)
		SKIP("a kernel without CONFIG_ANON_VMA_NAME");
}

CASE(memory_is_named_in_maps, "prctl(2)")
{
	char *start = map_pages(4, MAP_PRIVATE), *shared = map_pages(1, MAP_SHARED);

	need_names(start);
	CHECK_OK(name_memory(start, 2 * PAGE, "pool of mine"));
	CHECK(strstr(line_of(start), " [anon:pool of mine]") != NULL);
	CHECK(strstr(line_of(start + 2 * PAGE), "[anon:") == NULL);
	CHECK_OK(name_memory(shared, PAGE, "both"));
	CHECK(strstr(line_of(shared), " [anon_shmem:both]") != NULL);
	CHECK_OK(name_memory(start, 4 * PAGE, NULL));
	CHECK(strstr(line_of(start), "[anon:") == NULL);
}

CASE(errors_of_memory_names, "prctl(2)")
{
	char *start = map_pages(4, MAP_PRIVATE), name[81];
	int fd = make_file("file", "text");

	need_names(start);
	memset(name, 'x', 80);
	name[80] = '\0';
	CHECK_ERR(name_memory(start, PAGE, name), EINVAL);
	name[79] = '\0';
	CHECK_OK(name_memory(start, PAGE, name));
	for (const char *bad = "[]\\$`\n\177"; *bad; bad++) {
		name[0] = *bad;
		CHECK_ERR(name_memory(start, PAGE, name), EINVAL);
	}
	CHECK_ERR(name_memory(start, PAGE, unmapped()), EFAULT);
	CHECK_ERR(name_memory(start + 1, PAGE, "x"), EINVAL);
	CHECK_ERR(name_memory(start, -1, "x"), EINVAL);
	CHECK_OK(name_memory(start, 0, "x"));
	CHECK_ERR(name_memory(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), PAGE, "x"), EBADF);
	CHECK_OK(munmap(start + PAGE, PAGE));
	CHECK_ERR(name_memory(start, 3 * PAGE, "over a hole"), ENOMEM);
	CHECK(strstr(line_of(start), "[anon:over a hole]") != NULL);
	CHECK(strstr(line_of(start + 2 * PAGE), "[anon:over a hole]") != NULL);
	CHECK_ERR(prctl(0x53564d41, 1, start, PAGE, "x"), EINVAL);
}
