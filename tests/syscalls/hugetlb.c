/* Huge pages where the pool of them is empty: what can be had even so, and how the rest is refused. */
#include "harness.h"
#include "fixtures.h"

#include <sys/shm.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#define HUGE (2L << 20)
#define SIZE(log) ((unsigned)(log) << 26)
#define UNRESERVED (MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE)

static const int access_both = PROT_READ | PROT_WRITE;

static void need_an_empty_pool(void)
{
	if (strcmp(text_of("/proc/sys/vm/nr_hugepages"), "0\n") != 0 ||
	    strcmp(text_of("/proc/sys/vm/nr_overcommit_hugepages"), "0\n") != 0)
		SKIP("there are huge pages");
}

static int huge_file(unsigned flags)
{
	int fd = memfd_create("huge", MFD_HUGETLB | flags);

	if (fd == -1 && errno == ENOSYS)
		SKIP("a kernel without hugetlbfs");
	need_an_empty_pool();
	return CHECK_OK(fd);
}

CASE(memfd_create_makes_files_of_huge_pages, "memfd_create(2)")
{
	static const struct { unsigned flags; long page; } sizes[] = {
		{ 0, HUGE }, { SIZE(21), HUGE }, { SIZE(30), 1L << 30 } };
	struct statfs fs;
	struct stat status;

	for (int i = 0; i < 3; i++) {
		int fd = huge_file(sizes[i].flags);

		CHECK_OK(fstatfs(fd, &fs));
		CHECK_EQ(fs.f_type, 0x958458f6);
		CHECK_EQ(fs.f_bsize, sizes[i].page);
		CHECK_EQ(fs.f_blocks, 0);
		CHECK_OK(fstat(fd, &status));
		CHECK_EQ(status.st_mode, S_IFREG | 0777);
		CHECK_EQ(status.st_blksize, sizes[i].page);
		CHECK_EQ(status.st_blocks, 0);
	}
}

CASE(the_size_of_pages_must_be_known, "memfd_create(2)")
{
	huge_file(0);
	CHECK_ERR(memfd_create("x", MFD_HUGETLB | SIZE(16)), ENODEV);
	CHECK_ERR(memfd_create("x", MFD_HUGETLB | SIZE(63)), ENODEV);
	CHECK_ERR(memfd_create("x", SIZE(21)), EINVAL);
	CHECK_ERR(memfd_create("x", MFD_HUGETLB | 1 << 25), EINVAL);
	CHECK_ERR(memfd_create((char *)1, MFD_HUGETLB | SIZE(16)), EFAULT);
}

CASE(sizes_are_multiples_of_the_page, "memfd_create(2)")
{
	int fd = huge_file(0);
	struct stat status;

	CHECK_ERR(ftruncate(fd, PAGE), EINVAL);
	CHECK_ERR(ftruncate(fd, HUGE + 1), EINVAL);
	CHECK_OK(ftruncate(fd, 2 * HUGE));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 2 * HUGE);
	CHECK_ERR(fallocate(fd, 0, 0, HUGE), ENOSPC);
	CHECK_ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, HUGE), ENOSPC);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE));
	CHECK_ERR(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, HUGE), EOPNOTSUPP);
}

CASE(such_a_file_is_read_but_not_written, "memfd_create(2)")
{
	int fd = huge_file(0);
	char buffer[10] = "123456789";

	CHECK_OK(ftruncate(fd, 2 * HUGE));
	CHECK_ERR(write(fd, buffer, 1), EINVAL);
	CHECK_ERR(write(fd, buffer, 0), EINVAL);
	CHECK_ERR(pwrite(fd, buffer, 1, 0), EINVAL);
	CHECK_EQ(read(fd, buffer, 10), 10);
	CHECK_EQ(buffer[0] | buffer[9], 0);
	CHECK_EQ(pread(fd, buffer, 10, 2 * HUGE - 4), 4);
	CHECK_EQ(pread(fd, buffer, 10, 2 * HUGE), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 2 * HUGE);
	CHECK_EQ(lseek(fd, 5, SEEK_DATA), 5);
	CHECK_EQ(lseek(fd, 5, SEEK_HOLE), 2 * HUGE);
	CHECK_ERR(lseek(fd, 2 * HUGE, SEEK_DATA), ENXIO);
	CHECK_OK(fsync(fd));
	CHECK_ERR(fsetxattr(fd, "user.name", "", 0, 0), EOPNOTSUPP);
}

CASE(a_mapping_reserves_its_pages, "mmap(2)")
{
	int fd = huge_file(0);

	CHECK_OK(ftruncate(fd, 2 * HUGE));
	CHECK_ERR(mmap(NULL, HUGE, access_both, MAP_SHARED, fd, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, HUGE, PROT_NONE, MAP_PRIVATE, fd, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, PAGE, access_both, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, HUGE, access_both, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, HUGE, access_both, UNRESERVED | SIZE(16), -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, HUGE, access_both, MAP_SHARED | MAP_NORESERVE, fd, PAGE), EINVAL);
	CHECK_ERR(mmap((void *)0x10001000, HUGE, access_both, UNRESERVED | MAP_FIXED_NOREPLACE, -1, 0), EINVAL);
}

static void touch_in_child(volatile char *at, bool write)
{
	pid_t child = fork_child();

	if (child == 0) {
		if (write)
			*at = 1;
		_exit(*at);
	}
	CHECK_KILLED(child, SIGBUS);
}

CASE(touching_what_was_not_reserved_is_SIGBUS, "mmap(2)")
{
	int fd = huge_file(0), ends[2];
	char *start;

	CHECK_OK(ftruncate(fd, 2 * HUGE));
	start = CHECK_OK(mmap(NULL, HUGE, access_both, MAP_SHARED | MAP_NORESERVE, fd, 0));
	CHECK_EQ((long)start % HUGE, 0);
	touch_in_child(start, true);
	touch_in_child(start + HUGE - 1, false);
	CHECK_OK(pipe(ends));
	CHECK_ERR(write(ends[1], start, 4), EFAULT);
	touch_in_child(CHECK_OK(mmap(NULL, HUGE, access_both, MAP_PRIVATE | MAP_NORESERVE, fd, 0)), true);
	start = CHECK_OK(mmap(NULL, PAGE, access_both, UNRESERVED, -1, 0));
	CHECK_EQ((long)start % HUGE, 0);
	touch_in_child(start + HUGE - 1, true);
}

CASE(huge_pages_are_not_split, "mmap(2)")
{
	char *start;

	huge_file(0);
	start = CHECK_OK(mmap(NULL, 2 * HUGE, access_both, UNRESERVED, -1, 0));
	CHECK_ERR(munmap(start, PAGE), EINVAL);
	CHECK_ERR(munmap(start + PAGE, HUGE), EINVAL);
	CHECK_ERR(mprotect(start, PAGE, PROT_READ), EINVAL);
	CHECK_OK(mprotect(start, PAGE, access_both));
	CHECK_ERR(mmap(start + PAGE, PAGE, access_both, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERR(mremap(start, HUGE, 4 * HUGE, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERR(mremap(start + PAGE, PAGE, PAGE, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERR(mlock(start, PAGE), ENOMEM);
	CHECK_ERR(madvise(start, HUGE, MADV_COLD), EINVAL);
	CHECK_ERR(madvise(start + PAGE, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_OK(madvise(start, HUGE, MADV_DONTNEED));
	CHECK_OK(mprotect(start, HUGE, PROT_READ));
	CHECK_EQ(mremap(start, 2 * HUGE, PAGE, 0), start);
	CHECK_OK(munmap(start, HUGE));
}

CASE(a_writable_mapping_lengthens_the_file, "mmap(2)")
{
	int fd = huge_file(0);
	struct stat status;

	CHECK_OK(mmap(NULL, HUGE, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 8 * HUGE));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 0);
	CHECK_OK(mmap(NULL, HUGE, access_both, MAP_SHARED | MAP_NORESERVE, fd, HUGE));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 2 * HUGE);
}

CASE(files_of_huge_pages_can_be_sealed, "memfd_create(2)")
{
	int fd = huge_file(MFD_ALLOW_SEALING);
	char *start;

	CHECK_EQ(fcntl(huge_file(0), F_GET_SEALS), F_SEAL_SEAL);
	CHECK_OK(ftruncate(fd, 2 * HUGE));
	start = CHECK_OK(mmap(NULL, HUGE, access_both, MAP_SHARED | MAP_NORESERVE, fd, 0));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_OK(munmap(start, HUGE));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK));
	CHECK_ERR(mmap(NULL, HUGE, access_both, MAP_SHARED | MAP_NORESERVE, fd, 0), EPERM);
	CHECK_ERR(ftruncate(fd, HUGE), EPERM);
	CHECK_OK(ftruncate(fd, 4 * HUGE));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_ERR(ftruncate(fd, 8 * HUGE), EPERM);
}

CASE(segments_of_huge_pages, "shmget(2)")
{
	struct shmid_ds segment;
	char *start;
	int id;

	NEEDS_ROOT();
	huge_file(0);
	CHECK_ERR(shmget(IPC_PRIVATE, HUGE, SHM_HUGETLB | 0600), ENOMEM);
	CHECK_ERR(shmget(IPC_PRIVATE, HUGE, SHM_HUGETLB | SHM_NORESERVE | SIZE(16) | 0600), EINVAL);
	id = CHECK_OK(shmget(IPC_PRIVATE, HUGE + 1, SHM_HUGETLB | SHM_NORESERVE | 0600));
	start = CHECK_OK(shmat(id, NULL, 0));
	CHECK_EQ((long)start % HUGE, 0);
	CHECK_ERR(shmat(id, start + 8 * HUGE + PAGE, 0), EINVAL);
	CHECK_OK(shmctl(id, IPC_STAT, &segment));
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(segment.shm_segsz, HUGE + 1);
	touch_in_child(start, true);
	CHECK_OK(shmdt(start));
}

CASE(proc_and_sys_tell_the_same, "proc(5)")
{
	const char *text;
	char line[64], *start;

	huge_file(0);
	text = text_of("/proc/meminfo");
	CHECK(strstr(text, "HugePages_Total:       0\n") != NULL);
	CHECK(strstr(text, "Hugepagesize:       2048 kB\n") != NULL);
	CHECK_STREQ(text_of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"), "0\n");
	CHECK_STREQ(text_of("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages"), "0\n");
	start = CHECK_OK(mmap(NULL, HUGE, access_both, UNRESERVED, -1, 0));
	snprintf(line, sizeof(line), "%lx-%lx rw-p ", (long)start, (long)start + HUGE);
	text = strstr(text_of("/proc/self/smaps"), line);
	CHECK(text != NULL);
	CHECK(strstr(text, "/anon_hugepage (deleted)\n") != NULL);
	CHECK(strstr(text, "\nKernelPageSize:     2048 kB\nMMUPageSize:        2048 kB\n") != NULL);
	CHECK(strstr(text, "\nVmFlags: rd wr mr mw me de nr ht \n") != NULL);
}
