/* Mappings changed after they were made: mremap, mprotect, madvise, mincore, msync, mlock. */
#include "harness.h"
#include "fixtures.h"

#define ANY (PROT_READ | PROT_WRITE)

/* The signal that a store to (or a load from) the address raises, in a child; 0 for none. */
static int fault_of(volatile char *address, bool write)
{
	int status;
	pid_t child = fork_child();

	if (child == 0) {
		if (write)
			*address = 1;
		else
			(void)*address;
		_exit(0);
	}
	status = wait_status(child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

CASE(mremap_shrinks_in_place, "mremap(2)")
{
	char *start = map_pages(4, MAP_PRIVATE);

	start[0] = 'a';
	CHECK(mremap(start, 4 * PAGE, PAGE, 0) == start);
	CHECK_EQ(start[0], 'a');
	CHECK_EQ(fault_of(start + PAGE, true), SIGSEGV);
}

CASE(mremap_MAYMOVE_grows_and_keeps_the_contents, "mremap(2)")
{
	char *start = map_pages(2, MAP_PRIVATE), *moved;

	memset(start, 'm', 2 * PAGE);
	moved = CHECK_OK(mremap(start, 2 * PAGE, 50 * PAGE, MREMAP_MAYMOVE));
	CHECK_EQ(moved[2 * PAGE - 1], 'm');
	CHECK_EQ(moved[2 * PAGE], 0);
	moved[50 * PAGE - 1] = 'z';
}

CASE(mremap_without_MAYMOVE_and_without_room_gives_ENOMEM, "mremap(2)")
{
	char *start = map_pages(3, MAP_PRIVATE);

	CHECK_OK(mprotect(start + PAGE, PAGE, PROT_NONE));
	CHECK_ERR(mremap(start, PAGE, 2 * PAGE, 0), ENOMEM);
}

CASE(mremap_grows_in_place_into_a_free_hole, "mremap(2)")
{
	char *start = map_pages(4, MAP_PRIVATE);

	CHECK_OK(munmap(start + PAGE, 2 * PAGE));
	CHECK(mremap(start, PAGE, 3 * PAGE, 0) == start);
	start[3 * PAGE - 1] = 1;
}

CASE(mremap_FIXED_moves_to_the_given_address, "mremap(2)")
{
	char *start = map_pages(1, MAP_PRIVATE), *target = map_pages(2, MAP_PRIVATE);

	start[10] = 'f';
	CHECK(mremap(start, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	CHECK_EQ(target[10], 'f');
	CHECK_EQ(fault_of(start, false), SIGSEGV);
}

CASE(mremap_errors, "mremap(2)")
{
	char *start = map_pages(4, MAP_PRIVATE), *hole = unmapped();

	CHECK_ERR(mremap(start + 1, PAGE, PAGE, 0), EINVAL);
	CHECK_ERR(mremap(start, PAGE, 0, 0), EINVAL);
	CHECK_ERR(mremap(start, PAGE, PAGE, 0x100), EINVAL);
	CHECK_ERR(mremap(start, PAGE, PAGE, MREMAP_FIXED, hole), EINVAL);
	CHECK_ERR(mremap(start, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, start + PAGE), EINVAL);
	CHECK_ERR(mremap(hole, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

CASE(mremap_of_a_shared_file_mapping_shows_more_of_the_file, "mremap(2)")
{
	int fd = make_file("file", "first");
	char *start;

	CHECK_EQ(pwrite(fd, "second", 6, PAGE), 6);
	start = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	start = CHECK_OK(mremap(start, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	CHECK_STREQ(start, "first");
	CHECK_STREQ(start + PAGE, "second");
}

CASE(mprotect_takes_and_gives_permissions, "mprotect(2)")
{
	char *start = map_pages(3, MAP_PRIVATE);

	CHECK_OK(mprotect(start + PAGE, PAGE, PROT_READ));
	CHECK_EQ(fault_of(start, true), 0);
	CHECK_EQ(fault_of(start + PAGE, true), SIGSEGV);
	CHECK_EQ(fault_of(start + PAGE, false), 0);
	CHECK_OK(mprotect(start + PAGE, PAGE, PROT_NONE));
	CHECK_EQ(fault_of(start + PAGE, false), SIGSEGV);
	CHECK_OK(mprotect(start, 3 * PAGE, ANY));
	CHECK_EQ(fault_of(start + PAGE, true), 0);
}

CASE(mprotect_over_a_hole_gives_ENOMEM, "mprotect(2)")
{
	char *start = map_pages(3, MAP_PRIVATE);

	CHECK_OK(munmap(start + PAGE, PAGE));
	CHECK_ERR(mprotect(start, 3 * PAGE, PROT_READ), ENOMEM);
	CHECK_ERR(mprotect(unmapped(), PAGE, PROT_READ), ENOMEM);
}

CASE(mprotect_argument_errors, "mprotect(2)")
{
	char *start = map_pages(1, MAP_PRIVATE);

	CHECK_ERR(mprotect(start + 1, PAGE, ANY), EINVAL);
	CHECK_ERR(mprotect(start, PAGE, 0x100), EINVAL);
	CHECK_OK(mprotect(start, 0, PROT_NONE));
	start[0] = 1;
}

CASE(mprotect_to_write_a_shared_read_only_file_gives_EACCES, "mprotect(2)")
{
	char *start;
	int fd;

	put_file("file", "x");
	fd = CHECK_OK(open("file", O_RDONLY));
	start = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	CHECK_ERR(mprotect(start, PAGE, ANY), EACCES);
}

CASE(madvise_DONTNEED_zeroes_private_anonymous_memory, "madvise(2)")
{
	char *start = map_pages(2, MAP_PRIVATE);

	memset(start, 'x', 2 * PAGE);
	CHECK_OK(madvise(start, PAGE, MADV_DONTNEED));
	CHECK_EQ(start[0], 0);
	CHECK_EQ(start[PAGE], 'x');
}

CASE(madvise_DONTNEED_brings_back_the_file_in_a_private_mapping, "madvise(2)")
{
	int fd = make_file("file", "original");
	char *start = CHECK_OK(mmap(NULL, PAGE, ANY, MAP_PRIVATE, fd, 0));

	start[0] = 'X';
	CHECK_OK(madvise(start, PAGE, MADV_DONTNEED));
	CHECK_STREQ(start, "original");
}

CASE(madvise_errors, "madvise(2)")
{
	char *start = map_pages(1, MAP_PRIVATE);

	CHECK_ERR(madvise(start + 1, PAGE, MADV_NORMAL), EINVAL);
	CHECK_ERR(madvise(start, PAGE, 12345), EINVAL);
	CHECK_ERR(madvise(unmapped(), PAGE, MADV_DONTNEED), ENOMEM);
	CHECK_OK(madvise(start, PAGE, MADV_WILLNEED));
	CHECK_OK(madvise(start, 0, MADV_DONTNEED));
}

CASE(mincore_reports_touched_pages_and_errors, "mincore(2)")
{
	char *start = map_pages(2, MAP_PRIVATE);
	unsigned char resident[2] = { 0, 0 };

	start[0] = 1;
	CHECK_OK(mincore(start, 2 * PAGE, resident));
	CHECK_EQ(resident[0] & 1, 1);
	CHECK_ERR(mincore(start + 1, PAGE, resident), EINVAL);
	CHECK_ERR(mincore(unmapped(), PAGE, resident), ENOMEM);
	CHECK_ERR(mincore(start, PAGE, unmapped()), EFAULT);
}

CASE(msync_errors, "msync(2)")
{
	char *start = map_pages(1, MAP_SHARED);

	CHECK_OK(msync(start, PAGE, MS_ASYNC));
	CHECK_ERR(msync(start + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_ERR(msync(start, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_OK(msync(start, -1, MS_SYNC));
	CHECK_ERR(msync(start, -PAGE, MS_SYNC), ENOMEM);
	CHECK_ERR(msync(unmapped(), PAGE, MS_SYNC), ENOMEM);
}

CASE(mlock_of_unmapped_memory_gives_ENOMEM, "mlock(2)")
{
	char *start = map_pages(1, MAP_PRIVATE);

	CHECK_OK(mlock(start, PAGE));
	CHECK_OK(munlock(start, PAGE));
	CHECK_ERR(mlock(unmapped(), PAGE), ENOMEM);
	CHECK_ERR(munlock(unmapped(), PAGE), ENOMEM);
}

CASE(mprotect_changes_all_before_what_it_refuses, "mprotect(2)")
{
	char *start = map_pages(4, MAP_PRIVATE);
	int fd;

	put_file("file", "x");
	fd = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(mprotect(start, 4 * PAGE, PROT_NONE));
	CHECK(mmap(start + 2 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == start + 2 * PAGE);
	CHECK_ERR(mprotect(start, 4 * PAGE, ANY), EACCES);
	CHECK_EQ(fault_of(start + PAGE, true), 0);
	CHECK_EQ(fault_of(start + 2 * PAGE, false), 0);
	CHECK_EQ(fault_of(start + 3 * PAGE, false), SIGSEGV);
	/* From its middle on, nothing is changed. */
	CHECK(mmap(start, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == start);
	CHECK_ERR(mprotect(start + PAGE, PAGE, ANY), EACCES);
	CHECK_EQ(fault_of(start, false), 0);
}

CASE(mprotect_of_several_mappings_at_once, "mprotect(2)")
{
	char *start = map_pages(12, MAP_PRIVATE);

	for (int i = 1; i < 12; i += 2)
		CHECK_OK(mprotect(start + i * PAGE, PAGE, PROT_READ));
	CHECK_OK(mprotect(start + PAGE, 10 * PAGE, PROT_NONE));
	CHECK_EQ(fault_of(start, true), 0);
	CHECK_EQ(fault_of(start + PAGE, false), SIGSEGV);
	CHECK_EQ(fault_of(start + 10 * PAGE, false), SIGSEGV);
	CHECK_EQ(fault_of(start + 11 * PAGE, false), 0);
	CHECK_OK(mprotect(start, 12 * PAGE, ANY));
	for (int i = 0; i < 12; i++)
		start[i * PAGE] = 1;
}
