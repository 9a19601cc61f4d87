/* name_to_handle_at(2) and open_by_handle_at(2); quotactl(2) and its kin, which have nothing to work on. */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <sys/quota.h>

struct handle {
	unsigned bytes;
	int type;
	unsigned char data[128];
};

static int handle_of(const char *path, struct handle *handle, int *id, int flags)
{
	return syscall(SYS_name_to_handle_at, AT_FDCWD, path, handle, id, flags);
}

static int open_handle(int fd, struct handle *handle, int flags)
{
	return syscall(SYS_open_by_handle_at, fd, handle, flags);
}

CASE(a_handle_opens_the_file_it_was_made_of, "open_by_handle_at(2)")
{
	struct handle handle = { .bytes = 128 }, again = { .bytes = 128 };
	char text[5] = "";
	int id, root, fd;

	PRIVATE_MOUNTS();
	root = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	directory("dir");
	put_file("dir/file", "text");
	CHECK_OK(handle_of("dir/file", &handle, &id, 0));
	CHECK(handle.bytes > 0 && handle.bytes < 128);
	CHECK_EQ(id, atoi(mountinfo("/top")));
	CHECK_OK(rename("dir/file", "moved"));
	fd = CHECK_OK(open_handle(root, &handle, O_RDWR | O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(read(fd, text, 4), 4);
	CHECK_STREQ(text, "text");
	CHECK_OK(handle_of("moved", &again, &id, 0));
	CHECK(memcmp(&handle, &again, 8 + handle.bytes) == 0);
	CHECK_OK(close(fd));
	CHECK_OK(unlink("moved"));
	CHECK_ERR(open_handle(root, &handle, O_RDONLY), ESTALE);
	put_file("moved", "other");
	CHECK_ERR(open_handle(root, &handle, O_RDONLY), ESTALE);
}

CASE(handles_of_directories_and_by_descriptor, "open_by_handle_at(2)")
{
	struct handle handle = { .bytes = 128 };
	struct stat one, two;
	int id, fd, opened;

	PRIVATE_MOUNTS();
	directory("dir");
	fd = CHECK_OK(open("dir", O_RDONLY | O_DIRECTORY));
	CHECK_OK(syscall(SYS_name_to_handle_at, fd, "", &handle, &id, AT_EMPTY_PATH));
	opened = CHECK_OK(open_handle(AT_FDCWD, &handle, O_RDONLY | O_DIRECTORY));
	CHECK_OK(fstat(fd, &one));
	CHECK_OK(fstat(opened, &two));
	CHECK_EQ(two.st_ino, one.st_ino);
	CHECK_ERR(open_handle(AT_FDCWD, &handle, O_RDWR), EISDIR);
}

CASE(a_small_buffer_is_told_the_size, "name_to_handle_at(2)")
{
	struct handle handle = { .bytes = 0 };
	int id = -1;

	PRIVATE_MOUNTS();
	CHECK_ERR(handle_of(".", &handle, &id, 0), EOVERFLOW);
	CHECK_EQ(handle.bytes, 12);
	CHECK_EQ(id, atoi(mountinfo("/top")));
	CHECK_OK(handle_of(".", &handle, &id, 0));
}

CASE(links_are_not_followed_unless_asked, "name_to_handle_at(2)")
{
	struct handle link = { .bytes = 128 }, file = { .bytes = 128 }, followed = { .bytes = 128 };
	int id;

	PRIVATE_MOUNTS();
	put_file("file", "");
	CHECK_OK(symlink("file", "link"));
	CHECK_OK(handle_of("link", &link, &id, 0));
	CHECK_OK(handle_of("file", &file, &id, 0));
	CHECK_OK(handle_of("link", &followed, &id, AT_SYMLINK_FOLLOW));
	CHECK(memcmp(file.data, followed.data, file.bytes) == 0);
	CHECK(memcmp(file.data, link.data, file.bytes) != 0);
	CHECK_ERR(open_handle(AT_FDCWD, &link, O_RDONLY), ELOOP);
	CHECK_OK(open_handle(AT_FDCWD, &link, O_PATH));
}

CASE(file_systems_that_find_nothing_again_give_EOPNOTSUPP, "name_to_handle_at(2)")
{
	struct handle handle = { .bytes = 128 };
	int id;

	CHECK_ERR(handle_of("/proc", &handle, &id, 0), EOPNOTSUPP);
	CHECK_OK(handle_of("/proc", &handle, &id, 0x200));
	CHECK(handle.bytes > 0);
}

CASE(handle_errors, "name_to_handle_at(2)")
{
	struct handle handle = { .bytes = 129 };
	int id;

	PRIVATE_MOUNTS();
	CHECK_ERR(handle_of(".", &handle, &id, 0), EINVAL);
	handle.bytes = 128;
	CHECK_ERR(handle_of(".", &handle, &id, 0x100), EINVAL);
	CHECK_ERR(handle_of(".", &handle, &id, 0x202), EINVAL);
	CHECK_ERR(handle_of("", &handle, &id, 0), ENOENT);
	CHECK_ERR(handle_of("missing", &handle, &id, 0), ENOENT);
	CHECK_ERR(handle_of(".", unmapped(), &id, 0), EFAULT);
	CHECK_ERR(handle_of(".", &handle, unmapped(), 0), EFAULT);
	CHECK_ERR(syscall(SYS_name_to_handle_at, 99, "x", &handle, &id, 0), EBADF);
	CHECK_OK(handle_of(".", &handle, &id, 0));
	CHECK_ERR(open_handle(99, &handle, O_RDONLY), EBADF);
	CHECK_ERR(open_handle(CHECK_OK(open(".", O_PATH)), &handle, O_RDONLY), EBADF);
	CHECK_ERR(open_handle(AT_FDCWD, unmapped(), O_RDONLY), EFAULT);
	handle.data[0] ^= 1;
	CHECK_ERR(open_handle(AT_FDCWD, &handle, O_RDONLY), ESTALE);
	handle.type = -1;
	CHECK_ERR(open_handle(AT_FDCWD, &handle, O_RDONLY), EINVAL);
	handle.type = 0x77;
	CHECK_ERR(open_handle(AT_FDCWD, &handle, O_RDONLY), ESTALE);
	handle.bytes = 0;
	CHECK_ERR(open_handle(AT_FDCWD, &handle, O_RDONLY), EINVAL);
	handle.bytes = 129;
	CHECK_ERR(open_handle(AT_FDCWD, &handle, O_RDONLY), EINVAL);
}

CASE(open_by_handle_at_needs_CAP_DAC_READ_SEARCH, "open_by_handle_at(2)")
{
	struct handle handle = { .bytes = 12, .type = 1 };

	if (geteuid() == 0)
		CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(open_handle(AT_FDCWD, &handle, O_RDONLY), EPERM);
}

CASE(quotas_are_nowhere, "quotactl(2)")
{
	char info[256];
	int proc = CHECK_OK(open("/proc", O_RDONLY));

	CHECK_OK(syscall(SYS_quotactl, QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL));
	CHECK_ERR(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), NULL, 0, info), ENODEV);
	CHECK_ERR(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, 3), NULL, 0, info), EINVAL);
	CHECK_ERR(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), "/missing", 0, info), ENOENT);
	CHECK_ERR(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), "/dev/null", 0, info), ENOTBLK);
	CHECK_ERR(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), unmapped(), 0, info), EFAULT);
	CHECK_ERR(syscall(443, proc, QCMD(Q_GETQUOTA, USRQUOTA), 0, info), ENOSYS);
	CHECK_ERR(syscall(443, proc, QCMD(Q_GETQUOTA, 3), 0, info), EINVAL);
	CHECK_ERR(syscall(443, 99, QCMD(Q_GETQUOTA, USRQUOTA), 0, info), EBADF);
}

CASE(files_of_no_tree_are_not_found_again, "name_to_handle_at(2)")
{
	struct handle handle = { .bytes = 12, .type = 1 };
	int fd = CHECK_OK(memfd_create("name", 0));

	NEEDS_ROOT();
	CHECK_ERR(open_handle(fd, &handle, O_RDONLY), ESTALE);
}
