/* mmap and munmap: placement, sharing, files, faults. Changes afterwards: mremap_mprotect.c. */
#include "harness.h"
#include "fixtures.h"

#include <setjmp.h>

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
