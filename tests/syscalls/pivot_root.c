/* pivot_root(2), and how containers use it. */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

static int pivot_root(const char *new_root, const char *put_old)
{
	return syscall(SYS_pivot_root, new_root, put_old);
}

/* A tmpfs "new" with a directory "old" and a file "mark" in it. */
static void new_root(void)
{
	directory("new");
	tmpfs_on("new");
	directory("new/old");
	put_file("new/mark", "new");
}

CASE(the_old_root_is_put_below_the_new_one, "pivot_root(2)")
{
	char where[4096];

	PRIVATE_MOUNTS();
	new_root();
	CHECK_OK(pivot_root("new", "new/old"));
	CHECK(there("/mark"));
	CHECK(there("/old/proc/self"));
	CHECK(getcwd(where, sizeof(where)) != NULL);
	CHECK(strncmp(where, "/old/", 5) == 0);
	CHECK_OK(chdir("/"));
	CHECK_ERR(umount("/old"), EBUSY);
	CHECK_OK(umount2("/old", MNT_DETACH));
	CHECK(!there("/old/proc"));
	CHECK_OK(rmdir("/old"));
	CHECK_OK(chdir(".."));
	CHECK(there("mark"));
}

CASE(dot_dot_stacks_the_old_root_on_the_new_one, "pivot_root(2)")
{
	PRIVATE_MOUNTS();
	new_root();
	CHECK_OK(chdir("new"));
	CHECK_OK(pivot_root(".", "."));
	CHECK_OK(umount2(".", MNT_DETACH));
	CHECK_OK(chdir("/"));
	CHECK(there("/mark"));
	CHECK(!there("/proc"));
}

CASE(tasks_in_the_old_root_move_along, "pivot_root(2)")
{
	int ready[2], done[2], status;
	char byte;
	pid_t child;

	PRIVATE_MOUNTS();
	new_root();
	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(done));
	child = CHECK_OK(fork());
	if (child == 0) {
		CHECK_OK(chdir("/"));
		CHECK_EQ(write(ready[1], "", 1), 1);
		CHECK_EQ(read(done[0], &byte, 1), 1);
		CHECK(there("/mark"));
		CHECK(there("mark"));
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	CHECK_OK(pivot_root("new", "new/old"));
	CHECK_EQ(write(done[1], "", 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

CASE(pivot_root_errors, "pivot_root(2)")
{
	PRIVATE_MOUNTS();
	new_root();
	directory("plain");
	directory("plain/old");
	put_file("file", "");
	CHECK_ERR(pivot_root("missing", "new/old"), ENOENT);
	CHECK_ERR(pivot_root("new", "missing"), ENOENT);
	CHECK_ERR(pivot_root("file", "new/old"), ENOTDIR);
	CHECK_ERR(pivot_root("new", "new/mark"), ENOTDIR);
	CHECK_ERR(pivot_root(unmapped(), "new/old"), EFAULT);
	CHECK_ERR(pivot_root("new", "/"), EBUSY);
	CHECK_ERR(pivot_root("/", "new/old"), EBUSY);
	CHECK_ERR(pivot_root("plain", "plain/old"), EINVAL);
	CHECK_ERR(pivot_root("new", "plain"), EINVAL);
	CHECK_OK(mount(NULL, ".", NULL, MS_SHARED, NULL));
	CHECK_ERR(pivot_root("new", "new/old"), EINVAL);
	CHECK_OK(mount(NULL, ".", NULL, MS_PRIVATE, NULL));
	CHECK_OK(mount(NULL, "new", NULL, MS_SHARED, NULL));
	CHECK_ERR(pivot_root("new", "new/old"), EINVAL);
}

CASE(a_root_that_is_no_mount_point_cannot_be_pivoted, "pivot_root(2)")
{
	PRIVATE_MOUNTS();
	directory("jail");
	directory("jail/new");
	CHECK_OK(mount("tmpfs", "jail/new", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("jail/new/old", 0755));
	CHECK_OK(chroot("jail"));
	CHECK_OK(chdir("/"));
	CHECK_ERR(pivot_root("new", "new/old"), EINVAL);
}

CASE(switching_roots_by_MS_MOVE_and_chroot, "mount(2)")
{
	PRIVATE_MOUNTS();
	new_root();
	CHECK_OK(chdir("new"));
	CHECK_OK(mount(".", "/", NULL, MS_MOVE, NULL));
	CHECK_OK(chroot("."));
	CHECK_OK(chdir("/"));
	CHECK(there("/mark"));
	CHECK(there("../mark"));
	CHECK(!there("/proc"));
}
