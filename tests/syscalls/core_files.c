/* Core files: who leaves one, what is in it, and what a parent is told. */
#include "harness.h"
#include "fixtures.h"

#include <elf.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>

static char marker[2 * PAGE] __attribute__((aligned(PAGE))) = "in the data";
static char *image; /* the core file */
static size_t image_size;

static void needs_plain_pattern(void)
{
	if (strcmp(text_of("/proc/sys/kernel/core_pattern"), "core\n") != 0 ||
	    strcmp(text_of("/proc/sys/kernel/core_uses_pid"), "0\n") != 0)
		SKIP("cores have other names here");
}

/* A child that will do as `how` says, with this limit on cores; in the end abort(3). */
static int ends(rlim_t limit, void (*how)(void))
{
	struct rlimit limits = { limit, limit };
	int status;

	needs_plain_pattern();
	getrlimit(RLIMIT_CORE, &limits);
	if (limits.rlim_max < limit)
		SKIP("no cores may be as large");
	pid_t child = fork_child();

	if (child == 0) {
		limits.rlim_cur = limit;
		CHECK_OK(setrlimit(RLIMIT_CORE, &limits));
		if (how)
			how();
		abort();
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	return status;
}

static void read_core(void)
{
	int fd = CHECK_OK(open("core", O_RDONLY));
	struct stat status;

	CHECK_OK(fstat(fd, &status));
	image_size = status.st_size;
	image = CHECK_OK(mmap(NULL, image_size, PROT_READ, MAP_PRIVATE, fd, 0));
	CHECK_OK(close(fd));
}

static Elf64_Phdr *header(int index)
{
	Elf64_Ehdr *head = (Elf64_Ehdr *)image;

	return (Elf64_Phdr *)(image + head->e_phoff) + index;
}

/* The part of the core that holds an address. */
static Elf64_Phdr *part_with(const void *address)
{
	for (int i = 1; i < ((Elf64_Ehdr *)image)->e_phnum; i++) {
		Elf64_Phdr *part = header(i);

		if ((uintptr_t)address - part->p_vaddr < part->p_memsz)
			return part;
	}
	FAIL("no mapping of %p", address);
}

static const void *content_of(const void *address)
{
	Elf64_Phdr *part = part_with(address);
	size_t offset = (uintptr_t)address - part->p_vaddr;

	if (offset >= part->p_filesz)
		FAIL("%p is not in the file", address);
	return image + part->p_offset + offset;
}

/* The note of this type, the `nth` of them (from 0); NULL: there is none. */
static void *note(unsigned type, int nth)
{
	Elf64_Phdr *notes = header(0);

	CHECK_EQ(notes->p_type, PT_NOTE);
	for (char *at = image + notes->p_offset; at < image + notes->p_offset + notes->p_filesz;) {
		Elf64_Nhdr *head = (Elf64_Nhdr *)at;
		char *content = at + sizeof(*head) + (head->n_namesz + 3) / 4 * 4;

		if (head->n_type == type && nth-- == 0)
			return content;
		at = content + (head->n_descsz + 3) / 4 * 4;
	}
	return NULL;
}

static void checks_nothing_left(int status)
{
	CHECK(WIFSIGNALED(status));
	CHECK(!WCOREDUMP(status));
	CHECK_ERR(access("core", F_OK), ENOENT);
}

static void change_marker(void)
{
	strcpy(marker, "changed");
}

CASE(who_aborts_leaves_a_core, "core(5)")
{
	struct stat file;
	int status = ends(RLIM_INFINITY, change_marker);

	CHECK_EQ(WTERMSIG(status), SIGABRT);
	CHECK(WCOREDUMP(status));
	CHECK_OK(stat("core", &file));
	CHECK_EQ(file.st_mode, S_IFREG | 0600);
	CHECK_EQ(file.st_uid, geteuid());
	read_core();
	Elf64_Ehdr *head = (Elf64_Ehdr *)image;

	CHECK_EQ(memcmp(head->e_ident, ELFMAG, SELFMAG), 0);
	CHECK_EQ(head->e_type, ET_CORE);
	CHECK_EQ(head->e_machine, EM_X86_64);
	CHECK_STREQ((const char *)content_of(marker), "changed");
	CHECK_EQ(part_with(marker)->p_flags, PF_R | PF_W);
	CHECK_EQ(part_with(part_with)->p_flags, PF_R | PF_X);
}

CASE(the_notes_tell_the_process, "core(5), elf(5)")
{
	struct elf_prstatus *state;
	struct elf_prpsinfo *process;

	CHECK(WCOREDUMP(ends(RLIM_INFINITY, NULL)));
	read_core();
	state = note(NT_PRSTATUS, 0);
	CHECK(state != NULL);
	CHECK_EQ(state->pr_cursig, SIGABRT);
	CHECK_EQ(state->pr_info.si_signo, SIGABRT);
	CHECK_EQ(state->pr_ppid, getpid());
	CHECK_EQ(state->pr_pgrp, getpgrp());
	CHECK_EQ(state->pr_sid, getsid(0));
	CHECK_EQ(state->pr_fpvalid, 1);
	CHECK(note(NT_PRSTATUS, 1) == NULL);
	process = note(NT_PRPSINFO, 0);
	CHECK_EQ(process->pr_pid, state->pr_pid);
	CHECK_EQ(process->pr_uid, getuid());
	CHECK_EQ(strncmp(process->pr_fname, "core_files", 10), 0);
	CHECK(strstr(process->pr_psargs, "core_files") != NULL);
	siginfo_t *info = note(NT_SIGINFO, 0);

	CHECK_EQ(info->si_signo, SIGABRT);
	CHECK_EQ(info->si_pid, state->pr_pid);
	CHECK(note(NT_AUXV, 0) != NULL);
	CHECK(note(NT_FPREGSET, 0) != NULL);
	uint64_t *files = note(NT_FILE, 0);

	CHECK(files[0] > 0);
	CHECK_EQ(files[1], PAGE);
	uint64_t stack = ((uint64_t *)state->pr_reg)[19];

	CHECK(part_with((void *)stack)->p_filesz > 0);
}

static void fault(void)
{
	*(volatile int *)16 = 1;
}

CASE(a_fault_leaves_its_address, "core(5)")
{
	int status = ends(RLIM_INFINITY, fault);

	CHECK_EQ(WTERMSIG(status), SIGSEGV);
	CHECK(WCOREDUMP(status));
	read_core();
	siginfo_t *info = note(NT_SIGINFO, 0);

	CHECK_EQ(info->si_code, SEGV_MAPERR);
	CHECK_EQ((uintptr_t)info->si_addr, 16);
}

CASE(without_a_limit_above_a_page_there_is_none, "core(5), getrlimit(2)")
{
	checks_nothing_left(ends(0, NULL));
	checks_nothing_left(ends(4095, NULL));
}

CASE(the_limit_bounds_the_size, "core(5), getrlimit(2)")
{
	struct stat file;

	CHECK(WCOREDUMP(ends(12288, NULL)));
	CHECK_OK(stat("core", &file));
	CHECK(file.st_size <= 12288);
	CHECK(file.st_size > 0);
}

static void be_undumpable(void)
{
	CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
}

CASE(who_is_not_dumpable_leaves_none, "core(5), prctl(2)")
{
	checks_nothing_left(ends(RLIM_INFINITY, be_undumpable));
}

static void change_user(void)
{
	CHECK_OK(setresuid(65534, 65534, 65534));
}

CASE(who_has_changed_its_user_leaves_none, "core(5), credentials(7)")
{
	NEEDS_ROOT();
	CHECK_OK(chmod(".", 0777));
	checks_nothing_left(ends(RLIM_INFINITY, change_user));
}

static void terminate(void)
{
	raise(SIGTERM);
}

static void die(void)
{
	raise(SIGKILL);
}

CASE(other_signals_leave_none, "signal(7)")
{
	checks_nothing_left(ends(RLIM_INFINITY, terminate));
	checks_nothing_left(ends(RLIM_INFINITY, die));
}

CASE(a_file_of_its_name_is_replaced, "core(5)")
{
	put_file("core", "mine");
	CHECK_OK(link("core", "other"));
	CHECK(WCOREDUMP(ends(RLIM_INFINITY, NULL)));
	CHECK_STREQ(text_of("other"), "mine");
	read_core();
	CHECK_EQ(memcmp(image, ELFMAG, SELFMAG), 0);
	CHECK_OK(unlink("core"));
	CHECK_OK(symlink("other", "core"));
	CHECK(WCOREDUMP(ends(RLIM_INFINITY, NULL)));
	CHECK_STREQ(text_of("other"), "mine");
	CHECK_OK(unlink("core"));
	CHECK_OK(mkdir("core", 0700));
	CHECK(!WCOREDUMP(ends(RLIM_INFINITY, NULL)));
	CHECK_OK(rmdir("core"));
}

static void go_away(void)
{
	CHECK_OK(mkdir("elsewhere", 0700));
	CHECK_OK(chdir("elsewhere"));
}

CASE(it_is_left_where_the_process_is, "core(5)")
{
	CHECK(WCOREDUMP(ends(RLIM_INFINITY, go_away)));
	CHECK_ERR(access("core", F_OK), ENOENT);
	CHECK_OK(unlink("elsewhere/core"));
}

static char *left_out, *shared;

static void advise(void)
{
	CHECK_OK(madvise(left_out, PAGE, MADV_DONTDUMP));
}

static void filter_shared(void)
{
	int fd = CHECK_OK(open("/proc/self/coredump_filter", O_WRONLY));

	CHECK_EQ(write(fd, "0x2\n", 4), 4);
	CHECK_OK(close(fd));
}

CASE(advice_and_filter_keep_memory_out, "core(5), madvise(2)")
{
	left_out = map_pages(1, MAP_PRIVATE);
	shared = map_pages(1, MAP_SHARED);
	strcpy(left_out, "private");
	strcpy(shared, "shared");
	CHECK(WCOREDUMP(ends(RLIM_INFINITY, advise)));
	read_core();
	CHECK_EQ(part_with(left_out)->p_filesz, 0);
	CHECK_STREQ((const char *)content_of(shared), "shared");
	CHECK(WCOREDUMP(ends(RLIM_INFINITY, filter_shared)));
	read_core();
	CHECK_EQ(part_with(left_out)->p_filesz, 0);
	CHECK_EQ(part_with(marker)->p_filesz, 0);
	CHECK_STREQ((const char *)content_of(shared), "shared");
}

static volatile int spinning;

static void *spin(void *unused)
{
	for (spinning = 1;;)
		;
	return unused;
}

static void *block(void *unused)
{
	pause();
	return unused;
}

static void have_threads(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, spin, NULL), 0);
	CHECK_EQ(pthread_create(&thread, NULL, block, NULL), 0);
	while (!spinning)
		usleep(100);
}

CASE(each_thread_has_its_registers, "core(5)")
{
	CHECK(WCOREDUMP(ends(RLIM_INFINITY, have_threads)));
	read_core();
	struct elf_prstatus *first = note(NT_PRSTATUS, 0), *second = note(NT_PRSTATUS, 1);
	struct elf_prstatus *third = note(NT_PRSTATUS, 2);

	CHECK(second != NULL);
	CHECK(third != NULL);
	CHECK(note(NT_PRSTATUS, 3) == NULL);
	CHECK(first->pr_pid != second->pr_pid && second->pr_pid != third->pr_pid);
	CHECK(note(NT_FPREGSET, 2) != NULL);
}

CASE(a_signal_from_outside_ends_a_sleeper_with_a_core, "core(5), signal(7)")
{
	struct rlimit limits;
	siginfo_t info;

	needs_plain_pattern();
	CHECK_OK(getrlimit(RLIMIT_CORE, &limits));
	limits.rlim_cur = limits.rlim_max;
	CHECK_OK(setrlimit(RLIMIT_CORE, &limits));
	if (limits.rlim_max < 1 << 24)
		SKIP("no cores may be as large");
	pid_t child = sleeping_child();

	CHECK_OK(kill(child, SIGQUIT));
	CHECK_OK(waitid(P_PID, child, &info, WEXITED));
	CHECK_EQ(info.si_code, CLD_DUMPED);
	CHECK_EQ(info.si_status, SIGQUIT);
	CHECK_OK(access("core", F_OK));
}
