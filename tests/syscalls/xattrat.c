/* setxattrat(2), getxattrat(2), listxattrat(2), removexattrat(2), and the limits of attributes. */
#include "harness.h"
#include "fixtures.h"

#include <sys/xattr.h>

struct arguments {
	uint64_t value;
	uint32_t size, flags;
};

static char value[70000];

static long set_at(int dir, const char *path, int flags, const char *name, const void *data, size_t size, int how)
{
	struct arguments arguments = { (uintptr_t)data, size, how };

	return syscall(463, dir, path, flags, name, &arguments, sizeof(arguments));
}

static long get_at(int dir, const char *path, int flags, const char *name, size_t size)
{
	struct arguments arguments = { (uintptr_t)value, size, 0 };

	return syscall(464, dir, path, flags, name, &arguments, sizeof(arguments));
}

static void need_calls(void)
{
	if (syscall(466, -1, "", -1, "") == -1 && errno == ENOSYS)
		SKIP("a kernel without these calls");
	put_file("probe", "");
	if (setxattr("probe", "user.a", "", 0, 0) == -1)
		SKIP("no user attributes here");
}

CASE(attribute_of_a_file_beneath_a_directory, "setxattrat(2)")
{
	int dir;

	need_calls();
	CHECK_OK(mkdir("dir", 0700));
	put_file("dir/file", "");
	dir = CHECK_OK(open("dir", O_RDONLY));
	CHECK_OK(set_at(dir, "file", 0, "user.colour", "green", 5, 0));
	CHECK_EQ(get_at(dir, "file", 0, "user.colour", 100), 5);
	CHECK(memcmp(value, "green", 5) == 0);
	CHECK_EQ(getxattr("dir/file", "user.colour", value, 100), 5);
	CHECK_EQ(syscall(465, dir, "file", 0, value, 100), 12);
	CHECK_STREQ(value, "user.colour");
	CHECK_ERR(set_at(dir, "file", 0, "user.colour", "", 0, XATTR_CREATE), EEXIST);
	CHECK_ERR(set_at(dir, "file", 0, "user.other", "", 0, XATTR_REPLACE), ENODATA);
	CHECK_ERR(set_at(dir, "file", 0, "user.other", "", 0, 4), EINVAL);
	CHECK_OK(syscall(466, dir, "file", 0, "user.colour"));
	CHECK_ERR(get_at(dir, "file", 0, "user.colour", 100), ENODATA);
	CHECK_ERR(syscall(466, dir, "file", 0, "user.colour"), ENODATA);
}

CASE(empty_path_is_the_descriptor_itself, "getxattrat(2)")
{
	int fd = make_file("file", ""), place;

	need_calls();
	CHECK_OK(set_at(fd, "", AT_EMPTY_PATH, "user.a", "b", 1, 0));
	CHECK_EQ(get_at(fd, NULL, AT_EMPTY_PATH, "user.a", 100), 1);
	CHECK_ERR(get_at(fd, "", 0, "user.a", 100), ENOENT);
	CHECK_ERR(get_at(fd, NULL, 0, "user.a", 100), EFAULT);
	CHECK_OK(set_at(AT_FDCWD, "", AT_EMPTY_PATH, "user.a", "b", 1, 0));
	place = CHECK_OK(open("file", O_PATH));
	CHECK_ERR(get_at(place, "", AT_EMPTY_PATH, "user.a", 100), EBADF);
	CHECK_ERR(get_at(999, "", AT_EMPTY_PATH, "user.a", 100), EBADF);
	CHECK_ERR(get_at(999, "file", 0, "user.a", 100), EBADF);
	CHECK_ERR(get_at(fd, "file", 0, "user.a", 100), ENOTDIR);
}

CASE(links_are_followed_unless_forbidden, "getxattrat(2)")
{
	need_calls();
	put_file("file", "");
	CHECK_OK(symlink("file", "link"));
	CHECK_OK(set_at(AT_FDCWD, "link", 0, "user.a", "b", 1, 0));
	CHECK_EQ(get_at(AT_FDCWD, "file", 0, "user.a", 100), 1);
	CHECK_ERR(get_at(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, "user.a", 100), ENODATA);
	CHECK_ERR(set_at(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, "user.a", "", 0, 0), EPERM);
	CHECK_ERR(get_at(AT_FDCWD, "file", AT_SYMLINK_FOLLOW, "user.a", 100), EINVAL);
	CHECK_ERR(set_at(AT_FDCWD, "file", 1, "user.a", "", 0, 0), EINVAL);
	CHECK_ERR(syscall(465, AT_FDCWD, "file", 1, value, 100), EINVAL);
	CHECK_ERR(syscall(466, AT_FDCWD, "file", 1, "user.a"), EINVAL);
}

CASE(arguments_struct_is_checked, "setxattrat(2)")
{
	struct {
		struct arguments known;
		uint64_t more;
	} arguments = { { (uintptr_t)value, 100, 0 }, 0 };

	need_calls();
	put_file("file", "");
	CHECK_OK(setxattr("file", "user.a", "b", 1, 0));
	CHECK_EQ(syscall(464, AT_FDCWD, "file", 0, "user.a", &arguments, sizeof(arguments)), 1);
	CHECK_ERR(syscall(464, AT_FDCWD, "file", 0, "user.a", &arguments, 15), EINVAL);
	CHECK_ERR(syscall(464, AT_FDCWD, "file", 0, "user.a", &arguments, 4097), E2BIG);
	CHECK_ERR(syscall(464, AT_FDCWD, "file", 0, "user.a", unmapped(), 16), EFAULT);
	arguments.more = 1;
	CHECK_ERR(syscall(464, AT_FDCWD, "file", 0, "user.a", &arguments, sizeof(arguments)), E2BIG);
	arguments.more = 0;
	arguments.known.flags = XATTR_CREATE;
	CHECK_ERR(syscall(464, AT_FDCWD, "file", 0, "user.a", &arguments, sizeof(arguments)), EINVAL);
}

CASE(names_are_from_1_to_255_bytes, "xattr(7)")
{
	char name[300] = "user.";

	need_calls();
	put_file("file", "");
	memset(name + 5, 'n', 251);
	CHECK_ERR(setxattr("file", name, "", 0, 0), ERANGE);
	CHECK_ERR(getxattr("file", name, value, 10), ERANGE);
	CHECK_ERR(removexattr("file", name), ERANGE);
	CHECK_ERR(setxattr("file", "", "", 0, 0), ERANGE);
	CHECK_ERR(setxattr("file", "user.", "", 0, 0), EINVAL);
	CHECK_ERR(setxattr("file", "nonsense", "", 0, 0), EOPNOTSUPP);
	CHECK_ERR(setxattr("file", "system.nonsense", "", 0, 0), EOPNOTSUPP);
	CHECK_ERR(getxattr("file", "system.nonsense", value, 10), EOPNOTSUPP);
	CHECK_ERR(getxattr("file", unmapped(), value, 10), EFAULT);
}

CASE(values_are_at_most_64_KiB, "xattr(7)")
{
	need_calls();
	put_file("file", "");
	CHECK_ERR(setxattr("file", "user.big", value, 65537, 0), E2BIG);
	CHECK_OK(setxattr("file", "user.some", value, 2000, 0));
	CHECK_EQ(getxattr("file", "user.some", NULL, 0), 2000);
	CHECK_ERR(getxattr("file", "user.some", value, 1999), ERANGE);
	CHECK_EQ(getxattr("file", "user.some", value, 70000), 2000);
	CHECK_OK(setxattr("file", "user.none", NULL, 0, 0));
	CHECK_EQ(getxattr("file", "user.none", value, 10), 0);
	CHECK_ERR(setxattr("file", "user.bad", unmapped(), 10, 0), EFAULT);
	CHECK_ERR(getxattr("file", "user.some", unmapped(), 4000), EFAULT);
}

CASE(user_attributes_are_for_files_and_directories, "xattr(7)")
{
	need_calls();
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_ERR(setxattr("fifo", "user.a", "", 0, 0), EPERM);
	CHECK_ERR(getxattr("fifo", "user.a", value, 10), ENODATA);
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(setxattr("dir", "user.a", "", 0, 0));
}

CASE(user_attributes_need_the_files_permissions, "xattr(7)")
{
	pid_t child;

	NEEDS_ROOT();
	need_calls();
	CHECK_OK(chmod(".", 0755));
	put_file("file", "");
	CHECK_OK(setxattr("file", "user.a", "b", 1, 0));
	CHECK_OK(setxattr("file", "trusted.a", "b", 1, 0));
	CHECK_OK(setxattr("file", "security.a", "b", 1, 0));
	CHECK_OK(chmod("file", 0644));
	CHECK_OK(mkdir("sticky", 0777));
	CHECK_OK(chmod("sticky", 01777));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setresuid(1000, 1000, 1000));
		CHECK_EQ(getxattr("file", "user.a", value, 10), 1);
		CHECK_ERR(setxattr("file", "user.a", "", 0, 0), EACCES);
		CHECK_ERR(removexattr("file", "user.a"), EACCES);
		CHECK_ERR(getxattr("file", "trusted.a", value, 10), ENODATA);
		CHECK_ERR(setxattr("file", "trusted.a", "", 0, 0), EPERM);
		CHECK_EQ(getxattr("file", "security.a", value, 10), 1);
		CHECK_ERR(setxattr("file", "security.a", "", 0, 0), EPERM);
		CHECK_ERR(setxattr("sticky", "user.a", "", 0, 0), EPERM);
		CHECK_EQ(listxattr("file", value, sizeof(value)), sizeof("user.a") + sizeof("security.a"));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(chmod("file", 0600));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setresuid(1000, 1000, 1000));
		CHECK_ERR(getxattr("file", "user.a", value, 10), EACCES);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(capabilities_of_a_file_are_checked, "capabilities(7)")
{
	static const struct {
		uint32_t magic, sets[4];
	} wrong = { 0x05000000, { 0 } }, right = { 0x02000001, { 0x400, 0, 0, 0 } };

	NEEDS_ROOT();
	put_file("file", "");
	CHECK_ERR(setxattr("file", "security.capability", "x", 1, 0), EINVAL);
	CHECK_ERR(setxattr("file", "security.capability", &wrong, sizeof(wrong), 0), EINVAL);
	CHECK_OK(setxattr("file", "security.capability", &right, sizeof(right), 0));
	CHECK_EQ(getxattr("file", "security.capability", value, 100), sizeof(right));
}
