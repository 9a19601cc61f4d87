/* memfd_create(2) and file seals. */
#include "harness.h"
#include "fixtures.h"

CASE(memfd_is_an_empty_growing_file, "memfd_create(2)")
{
	struct stat status;
	int fd = CHECK_OK(memfd_create("name", MFD_CLOEXEC));
	char text[5];

	CHECK_OK(fstat(fd, &status));
	CHECK(S_ISREG(status.st_mode));
	CHECK_EQ(status.st_size, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_EQ(pread(fd, text, 5, 0), 5);
	CHECK(memcmp(text, "hello", 5) == 0);
	CHECK_OK(ftruncate(fd, 100000));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 100000);
}

CASE(memfd_can_be_mapped_and_shared_over_fork, "memfd_create(2)")
{
	int fd = CHECK_OK(memfd_create("name", 0));
	char *start;
	pid_t child;

	CHECK_OK(ftruncate(fd, PAGE));
	start = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	child = fork_child();
	if (child == 0)
		_exit(pwrite(fd, "m", 1, 10) != 1);
	CHECK_EXITS(child, 0);
	CHECK_EQ(start[10], 'm');
}

CASE(name_is_shown_in_proc, "memfd_create(2)")
{
	char link[64], path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", CHECK_OK(memfd_create("shown", 0)));
	length = CHECK_OK(readlink(path, link, sizeof(link) - 1));
	link[length] = '\0';
	CHECK_STREQ(link, "/memfd:shown (deleted)");
}

CASE(name_and_flags_are_checked, "memfd_create(2)")
{
	char name[251];

	memset(name, 'n', 250);
	name[250] = '\0';
	CHECK_ERR(memfd_create(name, 0), EINVAL);
	name[249] = '\0';
	CHECK_OK(memfd_create(name, 0));
	CHECK_ERR(syscall(SYS_memfd_create, "name", 0x100), EINVAL);
	CHECK_ERR(syscall(SYS_memfd_create, unmapped(), 0), EFAULT);
}

CASE(without_ALLOW_SEALING_seals_are_refused, "fcntl(2)")
{
	int fd = CHECK_OK(memfd_create("name", 0));

	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
}

CASE(size_seals_forbid_shrinking_and_growing, "fcntl(2)")
{
	int fd = CHECK_OK(memfd_create("name", MFD_ALLOW_SEALING));

	CHECK_OK(ftruncate(fd, 1000));
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	CHECK_ERR(ftruncate(fd, 999), EPERM);
	CHECK_ERR(ftruncate(fd, 1001), EPERM);
	CHECK_OK(ftruncate(fd, 1000));
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	CHECK_ERR(pwrite(fd, "x", 1, 5000), EPERM);
}

CASE(write_seal_forbids_writing, "fcntl(2)")
{
	int fd = CHECK_OK(memfd_create("name", MFD_ALLOW_SEALING));
	void *start;

	CHECK_OK(ftruncate(fd, PAGE));
	start = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_OK(munmap(start, PAGE));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
	CHECK_ERR(write(fd, "x", 1), EPERM);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
}

CASE(seals_on_an_ordinary_descriptor_give_EINVAL, "fcntl(2)")
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERR(fcntl(ends[0], F_GET_SEALS), EINVAL);
	CHECK_ERR(fcntl(ends[1], F_ADD_SEALS, F_SEAL_WRITE), EINVAL);
	CHECK_ERR(fcntl(ends[0], F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK_ERR(fcntl(memfd_create("direct", 0), F_SETFL, O_DIRECT), EINVAL);
}

/* Newer than some headers. */
#define MFD_EXEC_ 0x10
#define F_SEAL_EXEC_ 0x20

static void try_memfd_noexec(void)
{
	int fd = CHECK_OK(open("/proc/sys/vm/memfd_noexec", O_RDWR));

	CHECK_OK(pwrite(fd, "1", 1, 0));
	CHECK_EQ(fcntl(memfd_create("", 0), F_GET_SEALS), F_SEAL_EXEC_);
	CHECK_EQ(fcntl(memfd_create("", MFD_EXEC_), F_GET_SEALS), F_SEAL_SEAL);
	CHECK_OK(pwrite(fd, "2", 1, 0));
	CHECK_EQ(fcntl(memfd_create("", 0), F_GET_SEALS), F_SEAL_EXEC_);
	CHECK_ERR(memfd_create("", MFD_EXEC_), EACCES);
	CHECK_ERR(pwrite(fd, "3", 1, 0), EINVAL);
	CHECK_OK(pwrite(fd, "0", 1, 0));
	CHECK_EQ(fcntl(memfd_create("", 0), F_GET_SEALS), F_SEAL_SEAL);
}

CASE(vm_memfd_noexec_is_the_default_of_a_pid_namespace, "memfd_create(2)")
{
	pid_t child;

	NEEDS_ROOT();
	if (access("/proc/sys/vm/memfd_noexec", W_OK) != 0)
		SKIP("a kernel before 6.3, or a system that is read-only");
	if (strcmp(text_of("/proc/sys/vm/memfd_noexec"), "0\n") != 0)
		SKIP("it is set already");
	CHECK_OK(unshare(CLONE_NEWPID));
	child = fork_child();
	if (child == 0) {
		try_memfd_noexec();
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_STREQ(text_of("/proc/sys/vm/memfd_noexec"), "0\n");
}
