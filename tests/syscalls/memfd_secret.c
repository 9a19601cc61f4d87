/* Memory that only its holders' own instructions and calls reach. */
#include "harness.h"
#include "fixtures.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define SECRETMEM_MAGIC 0x5345434d

static int memfd_secret(unsigned flags)
{
	int fd = syscall(SYS_memfd_secret, flags);

	if (fd == -1 && errno == ENOSYS)
		SKIP("a kernel without secretmem, or with it turned off");
	return fd;
}

static int secret_of(off_t size)
{
	int fd = CHECK_OK(memfd_secret(0));

	CHECK_OK(ftruncate(fd, size));
	return fd;
}

static char *map_secret(size_t size)
{
	int fd = secret_of(size);
	char *start = CHECK_OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	CHECK_OK(close(fd));
	return start;
}

CASE(the_only_flag_is_close_on_exec, "memfd_secret(2)")
{
	CHECK_EQ(fcntl(CHECK_OK(memfd_secret(0)), F_GETFD), 0);
	CHECK_EQ(fcntl(CHECK_OK(memfd_secret(O_CLOEXEC)), F_GETFD), FD_CLOEXEC);
	CHECK_ERR(memfd_secret(FD_CLOEXEC), EINVAL);
	CHECK_ERR(memfd_secret(O_NONBLOCK), EINVAL);
	CHECK_ERR(memfd_secret(O_CLOEXEC | 2), EINVAL);
	CHECK_EQ(fcntl(CHECK_OK(memfd_secret(0)), F_GETFL), O_RDWR | 0100000);
}

CASE(stat_tells_a_regular_file_without_blocks, "memfd_secret(2)")
{
	int fd = CHECK_OK(memfd_secret(0));
	struct stat status;
	struct statfs fs;

	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_mode, S_IFREG | 0600);
	CHECK_EQ(status.st_size, 0);
	CHECK_EQ(status.st_nlink, 1);
	CHECK_EQ(status.st_uid, geteuid());
	CHECK_EQ(status.st_blksize, PAGE);
	CHECK_OK(fstatfs(fd, &fs));
	CHECK_EQ(fs.f_type, SECRETMEM_MAGIC);
	CHECK_OK(ftruncate(fd, 4 * PAGE));
	memset(CHECK_OK(mmap(NULL, 4 * PAGE, PROT_WRITE, MAP_SHARED, fd, 0)), 1, 4 * PAGE);
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 4 * PAGE);
	CHECK_EQ(status.st_blocks, 0);
	CHECK_OK(fchmod(fd, 0640));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_mode, S_IFREG | 0640);
}

CASE(the_size_is_set_once, "memfd_secret(2)")
{
	int fd = CHECK_OK(memfd_secret(0));
	char name[64];
	struct stat status;

	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_OK(ftruncate(fd, 6000));
	CHECK_ERR(ftruncate(fd, 6000), EINVAL);
	CHECK_ERR(ftruncate(fd, 8192), EINVAL);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 6000);
	CHECK_ERR(fallocate(fd, 0, 0, PAGE), EOPNOTSUPP);

	fd = CHECK_OK(memfd_secret(0));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK_OK(truncate(name, PAGE));
	CHECK_ERR(truncate(name, PAGE), EINVAL);
}

CASE(it_is_neither_read_nor_written, "memfd_secret(2)")
{
	int fd = secret_of(PAGE), file = make_file("file", "text"), ends[2];
	char buffer[8] = "";
	struct iovec vector = { buffer, sizeof(buffer) };

	CHECK_OK(pipe(ends));
	CHECK_ERR(read(fd, buffer, 1), EINVAL);
	CHECK_ERR(write(fd, buffer, 1), EINVAL);
	CHECK_ERR(read(fd, buffer, 0), EINVAL);
	CHECK_ERR(write(fd, buffer, 0), EINVAL);
	CHECK_ERR(readv(fd, &vector, 1), EINVAL);
	CHECK_ERR(writev(fd, &vector, 1), EINVAL);
	CHECK_ERR(pread(fd, buffer, 1, 0), ESPIPE);
	CHECK_ERR(pwrite(fd, buffer, 1, 0), ESPIPE);
	CHECK_ERR(preadv(fd, &vector, 1, 0), ESPIPE);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK_ERR(lseek(fd, 0, SEEK_END), ESPIPE);
	CHECK_ERR(lseek(fd, 0, SEEK_DATA), ESPIPE);
	CHECK_ERR(sendfile(ends[1], fd, NULL, 1), EINVAL);
	CHECK_ERR(sendfile(fd, file, NULL, 1), EINVAL);
	CHECK_ERR(splice(fd, NULL, ends[1], NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(ends[0], NULL, fd, NULL, 1, 0), EINVAL);
	CHECK_ERR(copy_file_range(fd, NULL, file, NULL, 1, 0), EXDEV);
	CHECK_ERR(fsync(fd), EINVAL);
	CHECK_ERR(fdatasync(fd), EINVAL);
	CHECK_ERR(readahead(fd, 0, 1), EINVAL);
	CHECK_ERR(fcntl(fd, F_GET_SEALS), EINVAL);
}

CASE(it_is_opened_only_once, "memfd_secret(2)")
{
	int fd = CHECK_OK(memfd_secret(0));
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT };
	char name[64], target[64];
	ssize_t length;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	length = CHECK_OK(readlink(name, target, sizeof(target) - 1));
	target[length] = '\0';
	CHECK_STREQ(target, "/secretmem (deleted)");
	CHECK_ERR(open(name, O_RDWR), ENXIO);
	CHECK_ERR(open(name, O_RDONLY), ENXIO);
	CHECK_OK(open(name, O_PATH));
	CHECK_ERR(execveat(fd, "", (char *[]){ NULL }, (char *[]){ NULL }, AT_EMPTY_PATH), EACCES);
	CHECK_EQ(poll(&poll_fd, 1, 0), 1);
	CHECK_EQ(poll_fd.revents, POLLIN | POLLOUT);
}

CASE(mappings_are_shared_and_never_executable, "memfd_secret(2)")
{
	int fd = secret_of(2 * PAGE), access = PROT_READ | PROT_WRITE;
	char *start;

	CHECK_ERR(mmap(NULL, PAGE, access, MAP_PRIVATE, fd, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, access | PROT_EXEC, MAP_SHARED, fd, 0), EPERM);
	CHECK_ERR(mmap(NULL, PAGE, access, MAP_SHARED, fd, 1), EINVAL);
	start = CHECK_OK(mmap(NULL, 3 * PAGE, access, MAP_SHARED, fd, 0));
	CHECK_ERR(mprotect(start, PAGE, PROT_READ | PROT_EXEC), EACCES);
	CHECK_OK(mprotect(start, PAGE, PROT_READ));
	CHECK_OK(mprotect(start, PAGE, access));
	start[2 * PAGE - 1] = 'x';
	CHECK_EQ(CHECK_OK((char *)mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0))[2 * PAGE - 1], 'x');
}

CASE(beyond_the_size_there_is_SIGBUS, "memfd_secret(2)")
{
	int fd = secret_of(PAGE);
	char *start = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	pid_t child = fork_child();

	if (child == 0) {
		start[PAGE] = 1;
		_exit(0);
	}
	CHECK_KILLED(child, SIGBUS);
}

CASE(children_share_it, "memfd_secret(2)")
{
	char *start = map_secret(PAGE);
	pid_t child = fork_child();

	if (child == 0) {
		strcpy(start, "by the child");
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_STREQ(start, "by the child");
}

CASE(it_counts_as_locked_memory, "memfd_secret(2)")
{
	struct rlimit limit = { 2 * PAGE, 2 * PAGE };
	int fd = secret_of(16 * PAGE), access = PROT_READ | PROT_WRITE;

	if (geteuid() == 0)
		CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK_ERR(mmap(NULL, 3 * PAGE, access, MAP_SHARED, fd, 0), EAGAIN);
	CHECK_ERR(mmap(NULL, 3 * PAGE, access, MAP_PRIVATE, fd, 0), EINVAL);
	CHECK_OK(mmap(NULL, PAGE, access, MAP_SHARED, fd, 0));
	CHECK_OK(mmap(NULL, PAGE, access, MAP_SHARED, fd, 0));
	CHECK_ERR(mmap(NULL, PAGE, access, MAP_SHARED, fd, 0), EAGAIN);
	CHECK_ERR(mmap(NULL, PAGE, access, MAP_SHARED, fd, 0), EAGAIN);
}

CASE(smaps_shows_it_locked_and_not_dumped, "memfd_secret(2)")
{
	char *start = map_secret(PAGE), *flags;
	char line[64];
	const char *area;

	snprintf(line, sizeof(line), "%lx-%lx rw-s ", (long)start, (long)start + PAGE);
	area = strstr(text_of("/proc/self/smaps"), line);
	CHECK(area != NULL);
	CHECK(strstr(area, "/secretmem (deleted)\n") != NULL);
	flags = strstr(area, "VmFlags: ");
	CHECK(flags != NULL);
	CHECK(strncmp(flags, "VmFlags: rd wr sh mr mw ms lo dd \n", 34) == 0);
	CHECK(strstr(text_of("/proc/self/status"), "VmLck:\t       4 kB\n") != NULL);
}

CASE(calls_read_and_write_it, "memfd_secret(2)")
{
	char *start = map_secret(PAGE);
	int ends[2];

	CHECK_OK(pipe(ends));
	strcpy(start, "secret");
	CHECK_EQ(write(ends[1], start, 7), 7);
	CHECK_EQ(read(ends[0], start + 100, 7), 7);
	CHECK_STREQ(start + 100, "secret");
	CHECK_EQ(syscall(SYS_futex, start, FUTEX_WAKE_PRIVATE, 1, NULL), 0);
}

CASE(what_pins_pages_gets_none, "memfd_secret(2)")
{
	char *start = map_secret(2 * PAGE), buffer[8] = "", *seen = map_pages(2, MAP_PRIVATE);
	struct iovec mine = { buffer, 8 }, secret = { start, 8 }, across = { seen + PAGE - 4, 8 };
	int ends[2], fd = make_file("file", "text"), memory = CHECK_OK(open("/proc/self/mem", O_RDWR));

	start[0] = 1;
	CHECK_OK(pipe(ends));
	CHECK_ERR(process_vm_readv(getpid(), &mine, 1, &secret, 1, 0), EFAULT);
	CHECK_ERR(process_vm_writev(getpid(), &mine, 1, &secret, 1, 0), EFAULT);
	CHECK_EQ(process_vm_readv(getpid(), &secret, 1, &mine, 1, 0), 8);
	CHECK_ERR(vmsplice(ends[1], &secret, 1, 0), EFAULT);
	CHECK_ERR(pread(memory, buffer, 8, (long)start), EIO);
	CHECK_ERR(pwrite(memory, buffer, 8, (long)start), EIO);
	CHECK_ERR(syscall(SYS_futex, start, FUTEX_WAKE, 1, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_futex, start, FUTEX_WAIT, 9, NULL), EFAULT);
	memset(seen, 7, 2 * PAGE);
	CHECK_OK(mremap(start, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, seen + PAGE));
	CHECK_EQ(process_vm_readv(getpid(), &mine, 1, &across, 1, 0), 4);
	CHECK_EQ(pread(memory, buffer, 8, (long)seen + PAGE - 4), 4);
	CHECK_OK(close(fd));
}

CASE(direct_io_does_not_reach_it, "memfd_secret(2)")
{
	char *start = map_secret(PAGE);
	int fd;
	struct statfs fs;

	start[0] = 1;
	fd = open("file", O_RDWR | O_CREAT | O_DIRECT, 0600);
	if (fd == -1)
		SKIP("no direct I/O here");
	CHECK_OK(fstatfs(fd, &fs));
	if (fs.f_type == 0x01021994)
		SKIP("direct I/O of tmpfs copies");
	CHECK_ERR(write(fd, start, PAGE), EFAULT);
	CHECK_ERR(pwrite(fd, start, PAGE, 0), EFAULT);
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(write(fd, start, PAGE), PAGE);
	CHECK_OK(fcntl(fd, F_SETFL, O_DIRECT));
	CHECK_ERR(pread(fd, start, PAGE, 0), EFAULT);
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(pread(fd, start, PAGE, 0), PAGE);
}

CASE(debuggers_do_not_see_it, "ptrace(2)")
{
	char *start = map_secret(PAGE), name[64], byte;
	struct iovec mine = { &byte, 1 }, secret = { start, 1 };
	pid_t child;
	int memory;

	start[0] = 1;
	child = fork_child();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(start[0]);
	}
	CHECK_EQ(wait_status(child) & 0xff, 0x7f);
	CHECK_ERR(ptrace(PTRACE_PEEKDATA, child, start, NULL), EIO);
	CHECK_ERR(ptrace(PTRACE_POKEDATA, child, start, NULL), EIO);
	snprintf(name, sizeof(name), "/proc/%d/mem", child);
	memory = CHECK_OK(open(name, O_RDWR));
	CHECK_ERR(pread(memory, &byte, 1, (long)start), EIO);
	CHECK_ERR(process_vm_readv(child, &mine, 1, &secret, 1, 0), EFAULT);
	CHECK_OK(ptrace(PTRACE_CONT, child, NULL, NULL));
	CHECK_EXITS(child, 1);
}

CASE(advice_that_would_drop_it_is_refused, "madvise(2)")
{
	static const int refused[] = { MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT,
				       MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_WIPEONFORK };
	static const int taken[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTFORK, MADV_DOFORK,
				     MADV_DONTDUMP, MADV_DODUMP, MADV_WILLNEED };
	char *start = map_secret(PAGE);

	strcpy(start, "kept");
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		CHECK_ERR(madvise(start, PAGE, refused[i]), EINVAL);
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		CHECK_OK(madvise(start, PAGE, taken[i]));
	CHECK_STREQ(start, "kept");
	CHECK_OK(msync(start, PAGE, MS_ASYNC));
	CHECK_ERR(msync(start, PAGE, MS_SYNC), EINVAL);
	CHECK_ERR(msync(start, PAGE, MS_INVALIDATE), EBUSY);
}

CASE(it_is_never_unlocked, "mlock(2)")
{
	char *start = map_secret(PAGE);

	CHECK_ERR(mlock(start, PAGE), ENOMEM);
	CHECK_OK(munlock(start, PAGE));
	CHECK(strstr(text_of("/proc/self/status"), "VmLck:\t       4 kB\n") != NULL);
	CHECK_OK(munlockall());
	CHECK(strstr(text_of("/proc/self/status"), "VmLck:\t       4 kB\n") != NULL);
}

CASE(mincore_tells_which_pages_were_touched, "mincore(2)")
{
	char *start = map_secret(3 * PAGE);
	unsigned char there[3];

	start[PAGE] = 1;
	CHECK_OK(mincore(start, 3 * PAGE, there));
	CHECK_EQ(there[0], 0);
	CHECK_EQ(there[1], 1);
	CHECK_EQ(there[2], 0);
}
