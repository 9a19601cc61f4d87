/* Pointers that lead nowhere, on many calls: EFAULT, never anything worse. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/utsname.h>

enum { WILD = 7 };

/* Null, low, unmapped, no access, non-canonical, in the kernel's half, the last address. */
static void wild_pointers(void *pointers[WILD])
{
	void *const wild[WILD] = {
		NULL, (void *)8, unmapped(), pages_before_a_hole(1) + PAGE, (void *)0x1234567812345678,
		(void *)0xffffffff81000000, (void *)-1L,
	};

	memcpy(pointers, wild, sizeof(wild));
}

static char *read_only(void)
{
	return CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

#define EACH_WILD_POINTER(pointer, call)				\
	do {								\
		void *pointers_[WILD];					\
		wild_pointers(pointers_);				\
		for (int i_ = 0; i_ < WILD; i_++) {			\
			void *pointer = pointers_[i_];			\
			CHECK_ERR(call, EFAULT);			\
		}							\
	} while (0)

CASE(wild_path_pointers_give_EFAULT, "open(2)")
{
	EACH_WILD_POINTER(path, syscall(SYS_open, path, O_RDONLY));
	EACH_WILD_POINTER(path, syscall(SYS_mkdir, path, 0700));
	EACH_WILD_POINTER(path, syscall(SYS_chdir, path));
	EACH_WILD_POINTER(path, syscall(SYS_unlink, path));
	EACH_WILD_POINTER(path, syscall(SYS_rename, "file", path));
	EACH_WILD_POINTER(path, syscall(SYS_symlink, path, "link"));
	EACH_WILD_POINTER(path, syscall(SYS_access, path, F_OK));
	EACH_WILD_POINTER(path, syscall(SYS_readlink, path, NULL, 10));
}

CASE(wild_read_buffers_give_EFAULT, "read(2)")
{
	int file = make_file("file", "contents"), zero = CHECK_OK(open("/dev/zero", O_RDONLY)), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "data", 4), 4);
	EACH_WILD_POINTER(buffer, syscall(SYS_read, file, buffer, 8));
	EACH_WILD_POINTER(buffer, syscall(SYS_pread64, file, buffer, 8, 0));
	EACH_WILD_POINTER(buffer, syscall(SYS_read, zero, buffer, 8));
	EACH_WILD_POINTER(buffer, syscall(SYS_read, ends[0], buffer, 4));
	CHECK_ERR(read(file, read_only(), 8), EFAULT);
	CHECK_ERR(read(ends[0], read_only(), 4), EFAULT);
}

CASE(wild_write_buffers_give_EFAULT, "write(2)")
{
	int file = make_file("file", ""), ends[2];

	CHECK_OK(pipe(ends));
	EACH_WILD_POINTER(buffer, syscall(SYS_write, file, buffer, 8));
	EACH_WILD_POINTER(buffer, syscall(SYS_write, ends[1], buffer, 8));
	CHECK_STREQ(text_of("file"), "");
}

CASE(wild_result_pointers_give_EFAULT, "stat(2)")
{
	put_file("file", "");
	EACH_WILD_POINTER(result, syscall(SYS_stat, "file", result));
	EACH_WILD_POINTER(result, syscall(SYS_newfstatat, AT_FDCWD, "file", result, 0));
	EACH_WILD_POINTER(result, syscall(SYS_fstat, 0, result));
	EACH_WILD_POINTER(result, syscall(SYS_uname, result));
	EACH_WILD_POINTER(result, syscall(SYS_pipe, result));
	EACH_WILD_POINTER(result, syscall(SYS_getrlimit, RLIMIT_CORE, result));
	EACH_WILD_POINTER(result, syscall(SYS_clock_gettime, CLOCK_MONOTONIC, result));
	EACH_WILD_POINTER(result, syscall(SYS_getrandom, result, 8, 0));
	EACH_WILD_POINTER(result, syscall(SYS_sysinfo, result));
	EACH_WILD_POINTER(result, syscall(SYS_getcwd, result, PAGE));
	CHECK_ERR(syscall(SYS_uname, read_only()), EFAULT);
	CHECK_ERR(syscall(SYS_stat, "file", read_only()), EFAULT);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, read_only()), EFAULT);
}

CASE(wild_structures_to_be_read_give_EFAULT, "sigaction(2)")
{
	struct pollfd entry = { .fd = -1 };
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];

	CHECK_OK(pipe(ends));
	for (int i = 1; i < WILD; i++) {
		void *wild[WILD];

		wild_pointers(wild);
		CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, wild[i], NULL, 8), EFAULT);
		CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, wild[i], NULL, 8), EFAULT);
		CHECK_ERR(syscall(SYS_nanosleep, wild[i], NULL), EFAULT);
		CHECK_ERR(syscall(SYS_ppoll, &entry, 1, wild[i], NULL, 8), EFAULT);
		CHECK_ERR(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, ends[0], wild[i]), EFAULT);
		CHECK_ERR(syscall(SYS_clone3, wild[i], 64), EFAULT);
		CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, ".", wild[i], 0), EFAULT);
		CHECK_ERR(syscall(SYS_setitimer, ITIMER_REAL, wild[i], NULL), EFAULT);
	}
}

CASE(wild_vectors_and_their_parts_give_EFAULT, "readv(2)")
{
	int fd = make_file("file", "contents");
	struct iovec part = { NULL, 8 };

	EACH_WILD_POINTER(vector, syscall(SYS_readv, fd, vector, 1));
	EACH_WILD_POINTER(vector, syscall(SYS_writev, fd, vector, 1));
	part.iov_base = unmapped();
	CHECK_ERR(readv(fd, &part, 1), EFAULT);
	CHECK_ERR(writev(fd, &part, 1), EFAULT);
}

CASE(message_headers_that_are_wild_give_EFAULT, "send(2)")
{
	int pair[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_EQ(write(pair[1], "x", 1), 1);
	EACH_WILD_POINTER(message, syscall(SYS_sendmsg, pair[0], message, 0));
	EACH_WILD_POINTER(message, syscall(SYS_recvmsg, pair[0], message, MSG_DONTWAIT));
	EACH_WILD_POINTER(buffer, syscall(SYS_sendto, pair[0], buffer, 8, 0, NULL, 0));
	CHECK_ERR(bind(pair[0], (void *)unmapped(), 16), EFAULT);
}

CASE(read_into_a_half_mapped_buffer_is_partial, "read(2)")
{
	char *end = pages_before_a_hole(1) + PAGE;
	int fd = make_file("file", "0123456789");

	CHECK_EQ(read(fd, end - 4, 10), 4);
	CHECK(memcmp(end - 4, "0123", 4) == 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	CHECK_ERR(read(fd, end, 10), EFAULT);
}

CASE(write_from_a_half_mapped_buffer_is_partial, "write(2)")
{
	char *end = pages_before_a_hole(1) + PAGE;
	int fd = make_file("file", "");

	memcpy(end - 4, "abcd", 4);
	CHECK_EQ(write(fd, end - 4, 10), 4);
	CHECK_STREQ(text_of("file"), "abcd");
	CHECK_ERR(write(fd, end, 10), EFAULT);
}

CASE(structure_that_ends_beyond_the_page_gives_EFAULT, "stat(2)")
{
	char *end = pages_before_a_hole(1) + PAGE;

	CHECK_ERR(syscall(SYS_stat, ".", end - sizeof(struct stat) + 1), EFAULT);
	CHECK_OK(syscall(SYS_stat, ".", end - sizeof(struct stat)));
	CHECK_ERR(syscall(SYS_uname, end - sizeof(struct utsname) + 1), EFAULT);
	CHECK_OK(syscall(SYS_uname, end - sizeof(struct utsname)));
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, end - 15), EFAULT);
	CHECK_OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, end - 16));
}

CASE(misaligned_structures_are_fine, "stat(2)")
{
	char *start = map_pages(2, MAP_PRIVATE), *straddling = start + PAGE - 7;
	struct utsname aligned;
	struct stat status;

	CHECK_OK(stat(".", &status));
	CHECK_OK(syscall(SYS_stat, ".", straddling));
	CHECK(memcmp(straddling, &status, offsetof(struct stat, st_atim)) == 0);
	CHECK_OK(uname(&aligned));
	CHECK_OK(syscall(SYS_uname, straddling));
	CHECK(memcmp(straddling, &aligned, sizeof(aligned)) == 0);
}

CASE(enormous_lengths_do_not_reach_beyond_the_address_space, "read(2)")
{
	int fd = make_file("file", "0123456789"), ends[2];
	char text[16];

	CHECK_OK(pipe(ends));
	CHECK_ERR(syscall(SYS_read, fd, text, -1L), EFAULT);
	CHECK_ERR(syscall(SYS_write, fd, text, -1L), EFAULT);
	CHECK_ERR(syscall(SYS_write, ends[1], text, 1ul << 63), EFAULT);
	CHECK_ERR(syscall(SYS_getrandom, (void *)0x7fffffffe000, -1L, 0), EFAULT);
}

CASE(string_without_an_end_before_a_hole_gives_EFAULT, "open(2)")
{
	char *start = pages_before_a_hole(1);

	memset(start, 'a', PAGE);
	CHECK_ERR(open(start + PAGE - 100, O_RDONLY), EFAULT);
	CHECK_ERR(syscall(SYS_execve, start + PAGE - 100, NULL, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_symlink, start + PAGE - 100, "link"), EFAULT);
}
