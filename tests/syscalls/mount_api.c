/* Mounts by descriptor: open_tree(2), move_mount(2), fsopen(2), fsconfig(2), fsmount(2), fspick(2), mount_setattr(2). */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x200
#endif
#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x100
#endif
#define SYS_mount_setattr_ 442
#define SYS_open_tree_attr_ 467
#define CREATE_EXCL 8

struct attributes {
	uint64_t set, clear, propagation, userns_fd;
};

static int tree(const char *path, unsigned flags)
{
	return syscall(SYS_open_tree, AT_FDCWD, path, flags);
}

static int move(int fd, const char *path)
{
	return syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static int config(int fd, unsigned command, const char *key, const void *value, int aux)
{
	return syscall(SYS_fsconfig, fd, command, key, value, aux);
}

static int setattr(const char *path, unsigned flags, struct attributes *attributes)
{
	return syscall(SYS_mount_setattr_, AT_FDCWD, path, flags, attributes, sizeof(*attributes));
}

/* A descriptor of a new tmpfs that is mounted nowhere. */
static int new_tmpfs(unsigned attributes)
{
	int fs = CHECK_OK(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));
	int mnt;

	CHECK_OK(config(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	mnt = CHECK_OK(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes));
	CHECK_OK(close(fs));
	return mnt;
}

CASE(open_tree_without_CLONE_is_an_O_PATH_open, "open_tree(2)")
{
	int fd = CHECK_OK(tree("/", O_CLOEXEC));

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	CHECK_ERR(tree("/", AT_RECURSIVE), EINVAL);
	CHECK_ERR(tree("/", 0x40), EINVAL);
	CHECK_ERR(tree("/missing", 0), ENOENT);
	CHECK_ERR(tree("", 0), ENOENT);
	CHECK_ERR(syscall(SYS_open_tree, 99, "x", 0), EBADF);
}

CASE(calls_on_mounts_need_CAP_SYS_ADMIN, "open_tree(2)")
{
	struct attributes attributes = { .set = MOUNT_ATTR_RDONLY };

	if (geteuid() == 0)
		CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(tree("/", OPEN_TREE_CLONE), EPERM);
	CHECK_ERR(move(99, "/"), EPERM);
	CHECK_ERR(syscall(SYS_fsopen, "tmpfs", 0), EPERM);
	CHECK_ERR(syscall(SYS_fsopen, "no such type", 0x100), EPERM);
	CHECK_ERR(syscall(SYS_fsmount, 99, 0, 0), EPERM);
	CHECK_ERR(syscall(SYS_fspick, AT_FDCWD, "/", 0), EPERM);
	CHECK_ERR(setattr("/", 0, &attributes), EPERM);
	CHECK_ERR(setattr("/", 0x100000, &attributes), EINVAL);
}

CASE(a_cloned_tree_can_be_used_and_attached, "open_tree(2)")
{
	int fd;

	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	directory("a/sub");
	tmpfs_on("a/sub");
	put_file("a/file", "");
	put_file("a/sub/file", "");
	fd = CHECK_OK(tree("a", OPEN_TREE_CLONE | AT_RECURSIVE));
	CHECK_OK(faccessat(fd, "file", F_OK, 0));
	CHECK_OK(faccessat(fd, "sub/file", F_OK, 0));
	CHECK_OK(move(fd, "b"));
	CHECK(there("b/sub/file"));
	CHECK_OK(close(fd));
	CHECK(there("b/sub/file"));
	fd = CHECK_OK(tree("a", OPEN_TREE_CLONE));
	CHECK_ERR(faccessat(fd, "sub/file", F_OK, 0), ENOENT);
	CHECK_OK(close(fd));
}

CASE(a_closed_tree_is_gone_and_free, "open_tree(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	CHECK_OK(close(CHECK_OK(tree("a", OPEN_TREE_CLONE))));
	CHECK_OK(umount("a"));
}

CASE(move_mount_errors, "move_mount(2)")
{
	int fd;

	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	put_file("file", "");
	fd = CHECK_OK(tree("a", OPEN_TREE_CLONE));
	CHECK_ERR(syscall(SYS_move_mount, fd, "", AT_FDCWD, "b", 0), ENOENT);
	CHECK_ERR(syscall(SYS_move_mount, fd, "", AT_FDCWD, "b", 0x1000), EINVAL);
	CHECK_ERR(syscall(SYS_move_mount, fd, "", AT_FDCWD, "b", 0x304), EINVAL);
	CHECK_ERR(move(fd, "missing"), ENOENT);
	CHECK_ERR(move(fd, "file"), EINVAL);
	CHECK_ERR(syscall(SYS_move_mount, AT_FDCWD, "a", AT_FDCWD, "b", 0), EINVAL);
	CHECK_OK(move(fd, "b"));
	CHECK_ERR(move(fd, "b"), ELOOP);
	CHECK_OK(move(fd, "a"));
	CHECK_ERR(syscall(SYS_move_mount, AT_FDCWD, "/", AT_FDCWD, "b", 0), ELOOP);
}

CASE(move_mount_moves_attached_mounts, "move_mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	tmpfs_on("a");
	put_file("a/file", "");
	CHECK_OK(syscall(SYS_move_mount, AT_FDCWD, "a", AT_FDCWD, "b", 0));
	CHECK(there("b/file"));
	CHECK(!there("a/file"));
}

CASE(MOVE_MOUNT_BENEATH_slips_under_the_top_mount, "move_mount(2)")
{
	int fd;

	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	tmpfs_on("a");
	put_file("a/upper", "");
	fd = new_tmpfs(0);
	CHECK_OK(close(CHECK_OK(openat(fd, "lower", O_WRONLY | O_CREAT, 0600))));
	CHECK_ERR(syscall(SYS_move_mount, fd, "", AT_FDCWD, "b", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_BENEATH), EINVAL);
	CHECK_OK(syscall(SYS_move_mount, fd, "", AT_FDCWD, "a", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_BENEATH));
	CHECK(there("a/upper"));
	CHECK_OK(umount("a"));
	CHECK(there("a/lower"));
}

CASE(MOVE_MOUNT_SET_GROUP_copies_peers_and_master, "move_mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	tmpfs_on("a");
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_ERR(syscall(SYS_move_mount, AT_FDCWD, "a", AT_FDCWD, "b", MOVE_MOUNT_SET_GROUP), EINVAL);
	CHECK_OK(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CHECK_OK(syscall(SYS_move_mount, AT_FDCWD, "a", AT_FDCWD, "b", MOVE_MOUNT_SET_GROUP));
	CHECK(group_of("/a", "shared:") != 0);
	CHECK_EQ(group_of("/b", "shared:"), group_of("/a", "shared:"));
	CHECK_ERR(syscall(SYS_move_mount, AT_FDCWD, "a", AT_FDCWD, "b", MOVE_MOUNT_SET_GROUP), EINVAL);
}

CASE(fsopen_errors, "fsopen(2)")
{
	NEEDS_ROOT();
	CHECK_ERR(syscall(SYS_fsopen, "tmpfs", 2), EINVAL);
	CHECK_ERR(syscall(SYS_fsopen, "no such type", 0), ENODEV);
	CHECK_ERR(syscall(SYS_fsopen, unmapped(), 0), EFAULT);
}

CASE(a_file_system_is_configured_made_and_mounted, "fsopen(2)")
{
	int fs, mnt;

	PRIVATE_MOUNTS();
	directory("a");
	fs = CHECK_OK(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));
	CHECK_OK(config(fs, FSCONFIG_SET_STRING, "source", "mine", 0));
	CHECK_OK(config(fs, FSCONFIG_SET_STRING, "size", "64k", 0));
	CHECK_OK(config(fs, FSCONFIG_SET_STRING, "mode", "0700", 0));
	CHECK_ERR(syscall(SYS_fsmount, fs, 0, 0), EINVAL);
	CHECK_OK(config(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	CHECK_ERR(config(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
	CHECK_ERR(config(fs, FSCONFIG_SET_STRING, "size", "128k", 0), EBUSY);
	mnt = CHECK_OK(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME));
	CHECK_ERR(syscall(SYS_fsmount, fs, 0, 0), EBUSY);
	CHECK_OK(move(mnt, "a"));
	CHECK(strstr(mountinfo("/a"), " rw,nodev,noatime - tmpfs mine rw,size=64k,mode=700") != NULL);
	/* From now on it can be changed. */
	CHECK_OK(config(fs, FSCONFIG_SET_STRING, "size", "128k", 0));
	CHECK_OK(config(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	CHECK_OK(config(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	CHECK(strstr(mountinfo("/a"), " - tmpfs mine ro,size=128k") != NULL);
}

CASE(fsconfig_argument_errors, "fsconfig(2)")
{
	int fs;

	NEEDS_ROOT();
	fs = CHECK_OK(syscall(SYS_fsopen, "tmpfs", 0));
	CHECK_ERR(config(-1, FSCONFIG_SET_FLAG, "ro", NULL, 0), EINVAL);
	CHECK_ERR(config(99, FSCONFIG_SET_FLAG, "ro", NULL, 0), EBADF);
	CHECK_ERR(config(0, FSCONFIG_SET_FLAG, "ro", NULL, 0), EINVAL);
	CHECK_ERR(config(fs, 77, "ro", NULL, 0), EOPNOTSUPP);
	CHECK_ERR(config(fs, FSCONFIG_SET_FLAG, NULL, NULL, 0), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_FLAG, "ro", "x", 0), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_FLAG, "ro", NULL, 1), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_STRING, "size", NULL, 0), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_STRING, "size", "4k", 1), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_STRING, unmapped(), "4k", 0), EFAULT);
	CHECK_ERR(config(fs, FSCONFIG_SET_STRING, "size", unmapped(), 0), EFAULT);
	CHECK_ERR(config(fs, FSCONFIG_SET_BINARY, "size", "4k", 0), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_BINARY, "size", "4k", 1024 * 1024 + 1), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_PATH, "size", "4k", -7), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_FD, "size", NULL, -1), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_FD, "size", NULL, 99), EBADF);
	CHECK_ERR(config(fs, FSCONFIG_CMD_CREATE, "x", NULL, 0), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY);
	CHECK_ERR(config(fs, FSCONFIG_SET_STRING, "size", "many", 0), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_FLAG, "size", NULL, 0), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_FLAG, "", NULL, 0), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_FLAG, "source", NULL, 0), EINVAL);
	CHECK_OK(config(fs, FSCONFIG_SET_STRING, "source", "one", 0));
	CHECK_ERR(config(fs, FSCONFIG_SET_STRING, "source", "two", 0), EINVAL);
}

CASE(the_log_tells_what_was_wrong, "fsopen(2)")
{
	char text[200] = "";
	int fs;

	NEEDS_ROOT();
	fs = CHECK_OK(syscall(SYS_fsopen, "tmpfs", 0));
	CHECK_ERR(read(fs, text, sizeof(text)), ENODATA);
	CHECK_ERR(config(fs, FSCONFIG_SET_STRING, "nonsense", "1", 0), EINVAL);
	CHECK_ERR(config(fs, FSCONFIG_SET_STRING, "mode", "9", 0), EINVAL);
	CHECK(read(fs, text, sizeof(text) - 1) > 0);
	CHECK_STREQ(text, "e tmpfs: Unknown parameter 'nonsense'\n");
	memset(text, 0, sizeof(text));
	CHECK(read(fs, text, sizeof(text) - 1) > 0);
	CHECK_STREQ(text, "e tmpfs: Bad value for 'mode'\n");
	CHECK_ERR(read(fs, text, sizeof(text)), ENODATA);
	CHECK_ERR(config(fs, FSCONFIG_SET_STRING, "nonsense", "1", 0), EINVAL);
	CHECK_ERR(read(fs, text, 3), EMSGSIZE);
	CHECK_ERR(write(fs, text, 3), EINVAL);
}

CASE(fspick_reconfigures_a_mounted_file_system, "fspick(2)")
{
	int fs;

	PRIVATE_MOUNTS();
	directory("a");
	directory("a/b");
	tmpfs_on("a");
	directory("a/b");
	CHECK_ERR(syscall(SYS_fspick, AT_FDCWD, "a/b", 0), EINVAL);
	CHECK_ERR(syscall(SYS_fspick, AT_FDCWD, "missing", 0), ENOENT);
	CHECK_ERR(syscall(SYS_fspick, AT_FDCWD, "a", 0x10), EINVAL);
	fs = CHECK_OK(syscall(SYS_fspick, AT_FDCWD, "a", FSPICK_CLOEXEC));
	CHECK_ERR(config(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
	CHECK_OK(config(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	CHECK_OK(config(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	CHECK_ERR(mkdir("a/c", 0700), EROFS);
}

CASE(fsmount_argument_errors, "fsmount(2)")
{
	int fs;

	NEEDS_ROOT();
	fs = CHECK_OK(syscall(SYS_fsopen, "tmpfs", 0));
	CHECK_OK(config(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	CHECK_ERR(syscall(SYS_fsmount, fs, 2, 0), EINVAL);
	CHECK_ERR(syscall(SYS_fsmount, fs, 0, 0x1000), EINVAL);
	CHECK_ERR(syscall(SYS_fsmount, fs, 0, MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME), EINVAL);
	CHECK_ERR(syscall(SYS_fsmount, 99, 0, 0), EBADF);
	CHECK_ERR(syscall(SYS_fsmount, 0, 0, 0), EINVAL);
}

CASE(mount_setattr_changes_one_mount_or_a_tree, "mount_setattr(2)")
{
	struct attributes attributes = { .set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC };

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	directory("a/sub");
	tmpfs_on("a/sub");
	CHECK_OK(setattr("a", 0, &attributes));
	CHECK_ERR(mkdir("a/new", 0700), EROFS);
	CHECK_OK(mkdir("a/sub/new", 0700));
	CHECK_OK(setattr("a", AT_RECURSIVE, &attributes));
	CHECK_ERR(mkdir("a/sub/newer", 0700), EROFS);
	CHECK(strstr(mountinfo("/a/sub"), " ro,noexec,relatime ") != NULL);
	attributes = (struct attributes){ .clear = MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME, .set = MOUNT_ATTR_NOATIME };
	CHECK_OK(setattr("a", AT_RECURSIVE, &attributes));
	CHECK(strstr(mountinfo("/a/sub"), " rw,noexec,noatime ") != NULL);
	attributes = (struct attributes){ .propagation = MS_SHARED };
	CHECK_OK(setattr("a", AT_RECURSIVE, &attributes));
	CHECK(group_of("/a", "shared:") && group_of("/a/sub", "shared:"));
}

CASE(mount_setattr_errors, "mount_setattr(2)")
{
	struct {
		struct attributes known;
		uint64_t more;
	} large = { .known.set = MOUNT_ATTR_RDONLY };
	struct attributes attributes = { .set = MOUNT_ATTR_RDONLY };
	int fd;

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_ERR(setattr("a", 0, &attributes), EINVAL);
	tmpfs_on("a");
	CHECK_ERR(setattr("missing", 0, &attributes), ENOENT);
	CHECK_ERR(setattr("a", 1, &attributes), EINVAL);
	CHECK_ERR(syscall(SYS_mount_setattr_, AT_FDCWD, "a", 0, &attributes, 31), EINVAL);
	CHECK_ERR(syscall(SYS_mount_setattr_, AT_FDCWD, "a", 0, &attributes, 4097), E2BIG);
	CHECK_ERR(syscall(SYS_mount_setattr_, AT_FDCWD, "a", 0, unmapped(), 32), EFAULT);
	large.more = 1;
	CHECK_ERR(syscall(SYS_mount_setattr_, AT_FDCWD, "a", 0, &large, sizeof(large)), E2BIG);
	large.more = 0;
	CHECK_OK(syscall(SYS_mount_setattr_, AT_FDCWD, "a", 0, &large, sizeof(large)));
	attributes = (struct attributes){ .clear = MOUNT_ATTR_NOATIME };
	CHECK_ERR(setattr("a", 0, &attributes), EINVAL);
	attributes = (struct attributes){ .set = MOUNT_ATTR_NOATIME };
	CHECK_ERR(setattr("a", 0, &attributes), EINVAL);
	attributes = (struct attributes){ .propagation = MS_SHARED | MS_PRIVATE };
	CHECK_ERR(setattr("a", 0, &attributes), EINVAL);
	attributes = (struct attributes){ .propagation = MS_REC };
	CHECK_ERR(setattr("a", 0, &attributes), EINVAL);
	attributes = (struct attributes){ .set = 1ull << 40 };
	CHECK_ERR(setattr("a", 0, &attributes), EINVAL);
	attributes = (struct attributes){ .set = MOUNT_ATTR_IDMAP, .userns_fd = 99 };
	CHECK_ERR(setattr("a", 0, &attributes), EBADF);
	attributes = (struct attributes){ .set = MOUNT_ATTR_IDMAP, .userns_fd = 0 };
	CHECK_ERR(setattr("a", 0, &attributes), EINVAL);
	attributes = (struct attributes){ 0 };
	CHECK_OK(setattr("missing", 0, &attributes));
	attributes = (struct attributes){ .clear = MOUNT_ATTR_RDONLY };
	CHECK_OK(setattr("a", 0, &attributes));
	fd = make_file("a/file", "");
	attributes = (struct attributes){ .set = MOUNT_ATTR_RDONLY };
	CHECK_ERR(setattr("a", 0, &attributes), EBUSY);
	CHECK_ERR(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY);
	CHECK_ERR(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK_OK(close(fd));
	CHECK_OK(setattr("a", 0, &attributes));
}

CASE(open_tree_attr_gives_a_changed_copy, "open_tree_attr(2)")
{
	struct attributes attributes = { .set = MOUNT_ATTR_RDONLY };
	int fd;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	fd = syscall(SYS_open_tree_attr_, AT_FDCWD, "a", OPEN_TREE_CLONE, &attributes, sizeof(attributes));
	if (fd == -1 && errno == ENOSYS)
		SKIP("no open_tree_attr");
	CHECK_OK(fd);
	CHECK_ERR(mkdirat(fd, "new", 0700), EROFS);
	CHECK_OK(mkdir("a/new", 0700));
	CHECK_ERR(syscall(SYS_open_tree_attr_, AT_FDCWD, "a", OPEN_TREE_CLONE, NULL, 32), EINVAL);
	CHECK_ERR(syscall(SYS_open_tree_attr_, AT_FDCWD, "a", OPEN_TREE_CLONE, &attributes, 8), EINVAL);
}

CASE(FSCONFIG_CMD_CREATE_EXCL_wants_a_new_instance, "fsconfig(2)")
{
	int fs;

	NEEDS_ROOT();
	fs = CHECK_OK(syscall(SYS_fsopen, "tmpfs", 0));
	CHECK_OK(config(fs, CREATE_EXCL, NULL, NULL, 0));
	fs = CHECK_OK(syscall(SYS_fsopen, "sysfs", 0));
	CHECK_ERR(config(fs, CREATE_EXCL, NULL, NULL, 0), EBUSY);
	CHECK_ERR(config(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
}
