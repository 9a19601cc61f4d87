/* Transfers between descriptors: sendfile, copy_file_range, splice, tee. */
#include "harness.h"
#include "fixtures.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

static char text[64];

CASE(sendfile_copies_from_the_offset_and_moves_it, "sendfile(2)")
{
	int from = make_file("from", "0123456789"), to = make_file("to", "");

	CHECK_EQ(lseek(from, 2, SEEK_SET), 2);
	CHECK_EQ(sendfile(to, from, NULL, 5), 5);
	CHECK_EQ(lseek(from, 0, SEEK_CUR), 7);
	CHECK_STREQ(text_of("to"), "23456");
}

CASE(sendfile_with_an_offset_pointer_leaves_the_file_offset, "sendfile(2)")
{
	int from = make_file("from", "0123456789"), to = make_file("to", "");
	off_t offset = 6;

	CHECK_EQ(sendfile(to, from, &offset, 100), 4);
	CHECK_EQ(offset, 10);
	CHECK_EQ(lseek(from, 0, SEEK_CUR), 0);
	CHECK_EQ(sendfile(to, from, &offset, 100), 0);
	CHECK_STREQ(text_of("to"), "6789");
}

CASE(sendfile_to_a_pipe, "sendfile(2)")
{
	int from = make_file("from", "0123456789"), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(sendfile(ends[1], from, NULL, 10), 10);
	CHECK_EQ(read(ends[0], text, sizeof(text)), 10);
	CHECK(memcmp(text, "0123456789", 10) == 0);
}

CASE(sendfile_errors, "sendfile(2)")
{
	int from = make_file("from", "0123456789"), to = make_file("to", ""), ends[2];
	off_t offset = -1;

	CHECK_OK(pipe(ends));
	CHECK_ERR(sendfile(999, from, NULL, 1), EBADF);
	CHECK_ERR(sendfile(to, 999, NULL, 1), EBADF);
	CHECK_ERR(sendfile(CHECK_OK(open("to", O_RDONLY)), from, NULL, 1), EBADF);
	CHECK_ERR(sendfile(to, from, &offset, 1), EINVAL);
	CHECK_ERR(syscall(SYS_sendfile, to, from, unmapped(), 1), EFAULT);
	CHECK_ERR(sendfile(CHECK_OK(open("to", O_WRONLY | O_APPEND)), from, NULL, 1), EINVAL);
}

CASE(copy_file_range_copies_between_files, "copy_file_range(2)")
{
	int from = make_file("from", "0123456789"), to = make_file("to", "abc");
	off64_t in = 4, out = 1;

	CHECK_EQ(copy_file_range(from, &in, to, &out, 3, 0), 3);
	CHECK_EQ(in, 7);
	CHECK_EQ(out, 4);
	CHECK_STREQ(text_of("to"), "a456");
	CHECK_EQ(copy_file_range(from, NULL, to, NULL, 2, 0), 2);
	CHECK_EQ(lseek(from, 0, SEEK_CUR), 2);
	CHECK_STREQ(text_of("to"), "0156");
}

CASE(copy_file_range_errors, "copy_file_range(2)")
{
	int from = make_file("from", "0123456789"), to = make_file("to", ""), ends[2];
	off64_t in = 0, overlapping = 3;

	CHECK_OK(pipe(ends));
	CHECK_ERR(copy_file_range(from, NULL, to, NULL, 1, 1), EINVAL);
	CHECK_ERR(copy_file_range(from, NULL, ends[1], NULL, 1, 0), EINVAL);
	CHECK_ERR(copy_file_range(from, NULL, CHECK_OK(open(".", O_RDONLY)), NULL, 1, 0), EISDIR);
	CHECK_ERR(copy_file_range(999, NULL, to, NULL, 1, 0), EBADF);
	CHECK_ERR(copy_file_range(from, NULL, CHECK_OK(open("to", O_RDONLY)), NULL, 1, 0), EBADF);
	CHECK_ERR(copy_file_range(from, &in, from, &overlapping, 5, 0), EINVAL);
}

CASE(splice_moves_from_a_file_into_a_pipe_and_out, "splice(2)")
{
	int from = make_file("from", "0123456789"), to = make_file("to", ""), ends[2];
	off64_t offset = 5;

	CHECK_OK(pipe(ends));
	CHECK_EQ(splice(from, &offset, ends[1], NULL, 100, 0), 5);
	CHECK_EQ(offset, 10);
	CHECK_EQ(splice(ends[0], NULL, to, NULL, 5, 0), 5);
	CHECK_STREQ(text_of("to"), "56789");
}

CASE(splice_errors, "splice(2)")
{
	int from = make_file("from", "0123456789"), to = make_file("to", ""), ends[2];
	off64_t offset = 0;

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	CHECK_ERR(splice(from, NULL, to, NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(from, NULL, ends[1], &offset, 1, 0), ESPIPE);
	CHECK_ERR(splice(ends[0], NULL, to, NULL, 1, 0), EAGAIN);
	CHECK_ERR(splice(999, NULL, ends[1], NULL, 1, 0), EBADF);
	CHECK_ERR(splice(from, NULL, ends[1], NULL, 1, 0x100), EINVAL);
}

CASE(tee_copies_without_consuming, "tee(2)")
{
	int first[2], second[2];

	CHECK_OK(pipe(first));
	CHECK_OK(pipe(second));
	CHECK_EQ(write(first[1], "tee", 3), 3);
	CHECK_EQ(tee(first[0], second[1], 10, 0), 3);
	CHECK_EQ(read(first[0], text, 10), 3);
	CHECK_EQ(read(second[0], text, 10), 3);
	CHECK(memcmp(text, "tee", 3) == 0);
	CHECK_ERR(tee(first[0], first[1], 10, 0), EINVAL);
}

CASE(texts_about_a_process_go_neither_by_splice_nor_by_sendfile, "splice(2)")
{
	static const char *const names[] = { "status", "maps", "fdinfo/0", "uid_map", "mem" };
	int ends[2], to = make_file("to", "");

	CHECK_OK(pipe(ends));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
		int from = CHECK_OK(open(path, O_RDONLY));
		CHECK_ERR(splice(from, NULL, ends[1], NULL, 10, 0), EINVAL);
		CHECK_ERR(sendfile(to, from, NULL, 10), EINVAL);
		close(from);
	}
	int mounts = CHECK_OK(open("/proc/self/mounts", O_RDONLY));
	CHECK_EQ(splice(mounts, NULL, ends[1], NULL, 10, 0), 10);
}

CASE(splice_refuses_what_it_cannot_read, "splice(2)")
{
	int ends[2], sockets[2];
	loff_t offset = 0;

	CHECK_OK(pipe(ends));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	CHECK_EQ(write(sockets[0], "text", 4), 4);
	CHECK_ERR(splice(sockets[1], &offset, ends[1], NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(CHECK_OK(open(".", O_RDONLY)), NULL, ends[1], NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(CHECK_OK(open("/dev/null", O_RDONLY)), NULL, ends[1], NULL, 1, 0), EINVAL);
	CHECK_EQ(splice(CHECK_OK(open("/dev/zero", O_RDONLY)), NULL, ends[1], NULL, 1, 0), 1);
}
