/* mmap and munmap: placement, sharing, files, faults. Changes afterwards: mremap_mprotect.c. */
#include "harness.h"
#include "fixtures.h"

#include <setjmp.h>
#include <sys/resource.h>

#define ANY (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf after_fault;
static volatile int fault_signal, fault_code;
static void *volatile fault_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	fault_signal = number;
	fault_code = info->si_code;
	fault_address = info->si_addr;
	siglongjmp(after_fault, 1);
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	CHECK_OK(sigaction(SIGBUS, &action, NULL));
}

/* Touches the address; 0 if that went well, otherwise the signal. */
static int touch(volatile char *address, bool write)
{
	if (sigsetjmp(after_fault, 1))
		return fault_signal;
	if (write)
		*address = 1;
	else
		(void)*address;
	return 0;
}

CASE(anonymous_memory_is_zeroed, "mmap(2)")
{
	char *start = map_pages(4, MAP_PRIVATE);

	for (int i = 0; i < 4 * PAGE; i++)
		CHECK_EQ(start[i], 0);
}

CASE(address_is_page_aligned_and_hint_is_honoured_when_free, "mmap(2)")
{
	char *start = map_pages(8, MAP_PRIVATE), *again;

	CHECK_EQ((unsigned long)start % PAGE, 0);
	CHECK_OK(munmap(start, 8 * PAGE));
	again = CHECK_OK(mmap(start + 2 * PAGE, PAGE, ANY, ANONYMOUS, -1, 0));
	CHECK(again == start + 2 * PAGE);
}

CASE(hint_that_is_taken_gives_another_address, "mmap(2)")
{
	char *start = map_pages(1, MAP_PRIVATE);

	CHECK(mmap(start, PAGE, ANY, ANONYMOUS, -1, 0) != start);
}

CASE(MAP_FIXED_replaces_what_was_there, "mmap(2)")
{
	char *start = map_pages(3, MAP_PRIVATE);

	memset(start, 'x', 3 * PAGE);
	CHECK(mmap(start + PAGE, PAGE, ANY, ANONYMOUS | MAP_FIXED, -1, 0) == start + PAGE);
	CHECK_EQ(start[0], 'x');
	CHECK_EQ(start[PAGE], 0);
	CHECK_EQ(start[2 * PAGE], 'x');
}

CASE(MAP_FIXED_NOREPLACE_gives_EEXIST_on_overlap, "mmap(2)")
{
	char *start = map_pages(3, MAP_PRIVATE);
	int flags = ANONYMOUS | MAP_FIXED_NOREPLACE;

	CHECK_ERR(mmap(start + 2 * PAGE, 2 * PAGE, ANY, flags, -1, 0), EEXIST);
	CHECK_OK(munmap(start + PAGE, PAGE));
	CHECK(mmap(start + PAGE, PAGE, ANY, flags, -1, 0) == start + PAGE);
}

CASE(invalid_arguments_give_EINVAL, "mmap(2)")
{
	int fd = make_file("file", "x");

	CHECK_ERR(mmap(NULL, 0, ANY, ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, ANY, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1L), EINVAL);
	CHECK_ERR(mmap((void *)0x100001, PAGE, ANY, ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
}

CASE(impossible_lengths_give_ENOMEM, "mmap(2)")
{
	CHECK_ERR(mmap(NULL, -PAGE, ANY, ANONYMOUS, -1, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, 1ul << 47, PROT_NONE, ANONYMOUS | MAP_NORESERVE, -1, 0), ENOMEM);
	CHECK_ERR(mmap((void *)0x7ffffffff000, PAGE, ANY, ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERR(mmap((void *)0xffff800000000000, PAGE, ANY, ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
}

CASE(bad_or_unsuitable_descriptor_errors, "mmap(2)")
{
	int ends[2], read_only;

	CHECK_OK(pipe(ends));
	put_file("file", "x");
	read_only = CHECK_OK(open("file", O_RDONLY));
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0), ENODEV);
	CHECK_ERR(mmap(NULL, PAGE, ANY, MAP_SHARED, read_only, 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open("file", O_WRONLY), 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open(".", O_RDONLY), 0), ENODEV);
	CHECK_OK(mmap(NULL, PAGE, ANY, MAP_PRIVATE, read_only, 0));
}

CASE(private_file_mapping_shows_the_file_and_keeps_writes_to_itself, "mmap(2)")
{
	int fd = make_file("file", "contents");
	char *start = CHECK_OK(mmap(NULL, PAGE, ANY, MAP_PRIVATE, fd, 0));

	CHECK(memcmp(start, "contents", 9) == 0);
	start[0] = 'X';
	CHECK_STREQ(text_of("file"), "contents");
}

CASE(shared_file_mapping_writes_to_the_file, "mmap(2)")
{
	int fd = make_file("file", "contents");
	char *start = CHECK_OK(mmap(NULL, PAGE, ANY, MAP_SHARED, fd, 0));

	start[0] = 'X';
	CHECK_STREQ(text_of("file"), "Xontents");
	CHECK_EQ(pwrite(fd, "Y", 1, 1), 1);
	CHECK_EQ(start[1], 'Y');
	CHECK_OK(msync(start, PAGE, MS_SYNC));
}

CASE(mapping_outlives_the_descriptor_and_the_name, "mmap(2)")
{
	int fd = make_file("file", "contents");
	char *start = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));

	CHECK_OK(close(fd));
	CHECK_OK(unlink("file"));
	CHECK_STREQ(start, "contents");
}

CASE(file_offset_selects_the_pages, "mmap(2)")
{
	int fd = make_file("file", "");
	char *start;

	CHECK_EQ(pwrite(fd, "second", 6, PAGE), 6);
	start = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE));
	CHECK_STREQ(start, "second");
}

CASE(page_beyond_the_end_of_the_file_raises_SIGBUS, "mmap(2)")
{
	int fd = make_file("file", "x");
	char *start = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0));

	catch_faults();
	CHECK_EQ(touch(start + PAGE - 1, false), 0);
	CHECK_EQ(touch(start + PAGE + 8, false), SIGBUS);
	CHECK_EQ(fault_code, BUS_ADRERR);
	CHECK(fault_address == start + PAGE + 8);
}

CASE(truncated_file_raises_SIGBUS_in_its_mapping, "mmap(2)")
{
	int fd = make_file("file", "x");
	char *start;

	CHECK_OK(ftruncate(fd, PAGE));
	start = CHECK_OK(mmap(NULL, PAGE, ANY, MAP_SHARED, fd, 0));
	start[5] = 'x';
	CHECK_OK(ftruncate(fd, 0));
	catch_faults();
	CHECK_EQ(touch(start, true), SIGBUS);
	CHECK_OK(ftruncate(fd, PAGE));
	CHECK_EQ(start[5], 0);
}

CASE(unmapped_address_raises_SIGSEGV_with_SEGV_MAPERR, "sigaction(2)")
{
	char *start = unmapped();

	catch_faults();
	CHECK_EQ(touch(start + 7, false), SIGSEGV);
	CHECK_EQ(fault_code, SEGV_MAPERR);
	CHECK(fault_address == start + 7);
}

CASE(forbidden_access_raises_SIGSEGV_with_SEGV_ACCERR, "sigaction(2)")
{
	char *start = CHECK_OK(mmap(NULL, PAGE, PROT_READ, ANONYMOUS, -1, 0));

	catch_faults();
	CHECK_EQ(touch(start, false), 0);
	CHECK_EQ(touch(start + 1, true), SIGSEGV);
	CHECK_EQ(fault_code, SEGV_ACCERR);
	CHECK(fault_address == start + 1);
}

CASE(munmap_splits_a_mapping, "munmap(2)")
{
	char *start = map_pages(3, MAP_PRIVATE);

	catch_faults();
	CHECK_OK(munmap(start + PAGE, PAGE));
	CHECK_EQ(touch(start, true), 0);
	CHECK_EQ(touch(start + PAGE, true), SIGSEGV);
	CHECK_EQ(touch(start + 2 * PAGE, true), 0);
}

CASE(munmap_of_nothing_succeeds_and_of_nonsense_gives_EINVAL, "munmap(2)")
{
	char *start = unmapped();

	CHECK_OK(munmap(start, PAGE));
	CHECK_ERR(munmap(start + 1, PAGE), EINVAL);
	CHECK_ERR(munmap(start, 0), EINVAL);
	CHECK_ERR(munmap((void *)0xffff800000000000, PAGE), EINVAL);
}

CASE(MAP_GROWSDOWN_grows_when_touched_below, "mmap(2)")
{
	char *start = map_pages(64, MAP_PRIVATE), *top;

	CHECK_OK(munmap(start, 64 * PAGE));
	top = CHECK_OK(mmap(start + 60 * PAGE, PAGE, ANY, ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0));
	catch_faults();
	CHECK_EQ(touch(top - 8, true), 0);
	CHECK_EQ(touch(top - 2 * PAGE, true), 0);
}

CASE(stack_grows_by_itself, "setrlimit(2)")
{
	volatile char large[1 << 20];

	for (int i = 0; i < (1 << 20); i += PAGE)
		large[i] = 1;
	CHECK_EQ(large[0], 1);
}

CASE(code_in_an_executable_mapping_runs, "mmap(2)")
{
	static const unsigned char code[] = { 0xb8, 77, 0, 0, 0, 0xc3 }; /* mov $77,%eax; ret */
	unsigned char *start = CHECK_OK(mmap(NULL, PAGE, ANY | PROT_EXEC, ANONYMOUS, -1, 0));

	memcpy(start, code, sizeof(code));
	CHECK_EQ(((int (*)(void))start)(), 77);
	CHECK_OK(mprotect(start, PAGE, ANY));
	catch_faults();
	if (sigsetjmp(after_fault, 1) == 0)
		((int (*)(void))start)();
	CHECK_EQ(fault_signal, SIGSEGV);
	CHECK(fault_address == start);
}

CASE(RLIMIT_AS_gives_ENOMEM, "setrlimit(2)")
{
	struct { unsigned long soft, hard; } limit, low = { 1 << 20, 0 };

	CHECK_OK(syscall(SYS_getrlimit, 9 /* RLIMIT_AS */, &limit));
	low.hard = limit.hard;
	CHECK_OK(syscall(SYS_setrlimit, 9, &low));
	CHECK_ERR(mmap(NULL, 1 << 20, ANY, ANONYMOUS, -1, 0), ENOMEM);
	CHECK_OK(syscall(SYS_setrlimit, 9, &limit));
	CHECK_OK(mmap(NULL, 1 << 20, ANY, ANONYMOUS, -1, 0));
}

CASE(RLIMIT_AS_does_not_count_what_MAP_FIXED_replaces, "setrlimit(2)")
{
	struct rlimit limit, low;
	char *start = map_pages(64, MAP_PRIVATE);
	unsigned long pages;

	CHECK_OK(getrlimit(RLIMIT_AS, &limit));
	CHECK_EQ(sscanf(text_of("/proc/self/statm"), "%lu", &pages), 1);
	low = (struct rlimit){ pages * PAGE + 8 * PAGE, limit.rlim_max };
	CHECK_OK(setrlimit(RLIMIT_AS, &low));
	CHECK(mmap(start, 64 * PAGE, ANY, ANONYMOUS | MAP_FIXED, -1, 0) == start);
	CHECK_ERR(mmap(NULL, 64 * PAGE, ANY, ANONYMOUS, -1, 0), ENOMEM);
	CHECK_OK(munmap(start, 32 * PAGE));
	CHECK_ERR(mmap(NULL, 64 * PAGE, ANY, ANONYMOUS, -1, 0), ENOMEM);
	CHECK_OK(mmap(NULL, 32 * PAGE, ANY, ANONYMOUS, -1, 0));
}

CASE(RLIMIT_DATA_limits_private_writable_memory, "getrlimit(2)")
{
	struct rlimit limit, low;
	char *start = map_pages(64, MAP_PRIVATE);
	unsigned long kilobytes;

	CHECK_OK(mprotect(start, 64 * PAGE, PROT_READ));
	CHECK_OK(getrlimit(RLIMIT_DATA, &limit));
	CHECK_EQ(sscanf(strstr(text_of("/proc/self/status"), "VmData:") + 7, "%lu", &kilobytes), 1);
	low = (struct rlimit){ kilobytes * 1024 + 16 * PAGE, limit.rlim_max };
	CHECK_OK(setrlimit(RLIMIT_DATA, &low));
	CHECK_ERR(mmap(NULL, 1024 * PAGE, ANY, ANONYMOUS, -1, 0), ENOMEM);
	CHECK_OK(mmap(NULL, 1024 * PAGE, PROT_READ, ANONYMOUS, -1, 0));
	CHECK_OK(mmap(NULL, 1024 * PAGE, ANY, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	start = CHECK_OK(mmap(NULL, 1024 * PAGE, PROT_READ, ANONYMOUS, -1, 0));
	CHECK_ERR(mprotect(start, 1024 * PAGE, ANY), ENOMEM);
}

CASE(shared_mapping_of_a_read_only_descriptor_follows_the_file, "mmap(2)")
{
	int both = make_file("file", "before"), fd = CHECK_OK(open("file", O_RDONLY));
	char *view, *writer, *second;
	pid_t child;

	CHECK_OK(ftruncate(both, 3 * PAGE));
	view = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0));
	CHECK_STREQ(view, "before");
	CHECK_EQ(pwrite(both, "after!", 6, 0), 6);
	CHECK_STREQ(view, "after!");
	writer = CHECK_OK(mmap(NULL, 3 * PAGE, ANY, MAP_SHARED, both, 0));
	strcpy(writer + PAGE, "by a mapping");
	CHECK_STREQ(view + PAGE, "by a mapping");
	/* A second view of the same pages, and a longer one. */
	second = CHECK_OK(mremap(view + PAGE, 0, PAGE, MREMAP_MAYMOVE));
	CHECK(second != view + PAGE);
	view = CHECK_OK(mremap(view, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE));
	strcpy(writer + PAGE, "again");
	strcpy(writer + 2 * PAGE, "and more");
	CHECK_STREQ(second, "again");
	CHECK_STREQ(view + PAGE, "again");
	CHECK_STREQ(view + 2 * PAGE, "and more");
	/* In a child too, and after a change of protection. */
	CHECK_OK(mprotect(view, PAGE, PROT_NONE));
	CHECK_OK(mprotect(view, PAGE, PROT_READ));
	child = fork_child();
	if (child == 0) {
		strcpy(writer, "child");
		_exit(strcmp(view, "child") == 0 ? 0 : 1);
	}
	CHECK_EXITS(child, 0);
	CHECK_STREQ(view, "child");
	CHECK_OK(ftruncate(both, 0));
	catch_faults();
	CHECK_EQ(touch(view, false), SIGBUS);
}

CASE(split_pieces_of_a_mapping_join_again, "proc_pid_maps(5)")
{
	char *start = map_pages(16, MAP_PRIVATE), line[64], *maps;

	CHECK_OK(munmap(start, PAGE));
	CHECK_OK(munmap(start + 15 * PAGE, PAGE));
	snprintf(line, sizeof(line), "%lx-%lx rw-p", (long)start + PAGE, (long)start + 15 * PAGE);
	CHECK(strstr(text_of("/proc/self/maps"), line) != NULL);
	CHECK_OK(mprotect(start + 4 * PAGE, 4 * PAGE, PROT_READ));
	CHECK_OK(mprotect(start + 6 * PAGE, PAGE, PROT_NONE));
	maps = (char *)text_of("/proc/self/maps");
	snprintf(line, sizeof(line), "%lx-%lx rw-p", (long)start + PAGE, (long)start + 4 * PAGE);
	CHECK(strstr(maps, line) != NULL);
	snprintf(line, sizeof(line), "%lx-%lx r--p", (long)start + 7 * PAGE, (long)start + 8 * PAGE);
	CHECK(strstr(maps, line) != NULL);
	CHECK_OK(mprotect(start + 4 * PAGE, 4 * PAGE, ANY));
	CHECK_OK(munmap(start + 9 * PAGE, PAGE));
	CHECK(mmap(start + 9 * PAGE, PAGE, ANY, ANONYMOUS, -1, 0) == start + 9 * PAGE);
	snprintf(line, sizeof(line), "%lx-%lx rw-p", (long)start + PAGE, (long)start + 15 * PAGE);
	CHECK(strstr(text_of("/proc/self/maps"), line) != NULL);
}

CASE(number_of_mappings_is_limited, "mmap(2)")
{
	long limit = atol(text_of("/proc/sys/vm/max_map_count")), i;
	char *start;

	if (limit > 100000)
		SKIP("vm.max_map_count is %ld", limit);
	start = CHECK_OK(mmap(NULL, 2 * limit * PAGE, PROT_NONE, ANONYMOUS | MAP_NORESERVE, -1, 0));
	for (i = 0; i < limit && mprotect(start + 2 * i * PAGE, PAGE, PROT_READ) == 0; i++)
		;
	CHECK_EQ(errno, ENOMEM);
	CHECK(i > limit / 2 - 200 && i < limit / 2);
	/* What makes no more of them is allowed, and what makes fewer. */
	CHECK_OK(mprotect(start, PAGE, PROT_NONE));
	CHECK_OK(mprotect(start, PAGE, PROT_READ));
	CHECK_OK(munmap(start, 1000 * PAGE));
	CHECK_OK(mmap(NULL, PAGE, PROT_WRITE, ANONYMOUS, -1, 0));
	CHECK_OK(munmap(start, 2 * limit * PAGE));
}
