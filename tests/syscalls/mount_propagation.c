/* Shared, slave, private and unbindable mounts: who hears of mounts and unmounts (mount_namespaces(7)). */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <poll.h>

static void propagation(const char *path, unsigned long kind)
{
	CHECK_OK(mount(NULL, path, NULL, kind, NULL));
}

/* Directories "a" and "b", both the same tmpfs with a directory "x" in it; "a" is shared, "b" is its peer. */
static void peers(void)
{
	directory("a");
	directory("b");
	tmpfs_on("a");
	directory("a/x");
	propagation("a", MS_SHARED);
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
}

CASE(a_bind_of_a_shared_mount_is_its_peer, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	peers();
	CHECK(group_of("/a", "shared:") != 0);
	CHECK_EQ(group_of("/b", "shared:"), group_of("/a", "shared:"));
	CHECK_EQ(group_of("/top", "shared:"), 0);
}

CASE(mounts_and_unmounts_reach_all_peers, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	peers();
	tmpfs_on("b/x");
	put_file("b/x/file", "");
	CHECK(there("a/x/file"));
	CHECK(group_of("/a/x", "shared:") != 0);
	CHECK_EQ(group_of("/b/x", "shared:"), group_of("/a/x", "shared:"));
	CHECK_OK(umount("a/x"));
	CHECK(!there("b/x/file"));
}

CASE(a_slave_receives_and_does_not_send, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	peers();
	propagation("b", MS_SLAVE);
	CHECK_EQ(group_of("/b", "shared:"), 0);
	CHECK_EQ(group_of("/b", "master:"), group_of("/a", "shared:"));
	tmpfs_on("a/x");
	put_file("a/x/file", "");
	CHECK(there("b/x/file"));
	CHECK_EQ(group_of("/b/x", "master:"), group_of("/a/x", "shared:"));
	CHECK_OK(umount("b/x"));
	CHECK(there("a/x/file"));
	tmpfs_on("b/x");
	put_file("b/x/own", "");
	CHECK(!there("a/x/own"));
}

CASE(a_shared_slave_passes_on, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	peers();
	directory("c");
	propagation("b", MS_SLAVE);
	propagation("b", MS_SHARED);
	CHECK(group_of("/b", "shared:") != group_of("/a", "shared:"));
	CHECK_OK(mount("b", "c", NULL, MS_BIND, NULL));
	CHECK_EQ(group_of("/c", "shared:"), group_of("/b", "shared:"));
	CHECK_EQ(group_of("/c", "master:"), group_of("/a", "shared:"));
	tmpfs_on("a/x");
	put_file("a/x/file", "");
	CHECK(there("b/x/file"));
	CHECK(there("c/x/file"));
	CHECK_EQ(group_of("/c/x", "shared:"), group_of("/b/x", "shared:"));
	CHECK_EQ(group_of("/c/x", "master:"), group_of("/a/x", "shared:"));
	CHECK_OK(umount("c/x"));
	CHECK(!there("b/x/file"));
	CHECK(there("a/x/file"));
}

CASE(a_slave_of_a_dissolved_group_gets_its_master, "mount_namespaces(7)")
{
	int master;

	PRIVATE_MOUNTS();
	peers();
	directory("c");
	master = group_of("/a", "shared:");
	propagation("b", MS_SLAVE);
	propagation("b", MS_SHARED);
	CHECK_OK(mount("b", "c", NULL, MS_BIND, NULL));
	propagation("c", MS_SLAVE);
	CHECK_EQ(group_of("/c", "master:"), group_of("/b", "shared:"));
	CHECK_OK(umount("b"));
	CHECK_EQ(group_of("/c", "master:"), master);
	propagation("c", MS_PRIVATE);
	CHECK_EQ(group_of("/c", "master:"), 0);
}

CASE(the_last_of_a_group_becomes_private_by_MS_SLAVE, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	propagation("a", MS_SHARED);
	propagation("a", MS_SLAVE);
	CHECK_EQ(group_of("/a", "shared:"), 0);
	CHECK_EQ(group_of("/a", "master:"), 0);
}

CASE(private_mounts_hear_nothing, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	peers();
	propagation("b", MS_PRIVATE);
	tmpfs_on("a/x");
	put_file("a/x/file", "");
	CHECK(!there("b/x/file"));
}

CASE(unbindable_mounts_cannot_be_bound, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	tmpfs_on("a");
	directory("a/x");
	tmpfs_on("a/x");
	propagation("a/x", MS_UNBINDABLE);
	CHECK(strstr(mountinfo("/a/x"), " unbindable ") != NULL);
	CHECK_ERR(mount("a/x", "b", NULL, MS_BIND, NULL), EINVAL);
	CHECK_OK(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	CHECK_STREQ(mountinfo("/b/x"), "");
	CHECK_OK(umount("b"));
	propagation("b/../a", MS_SHARED);
	CHECK_OK(mount("a/x", "b", NULL, MS_MOVE, NULL) == -1 && errno == EINVAL ? 0 : -1);
	propagation("a/x", MS_PRIVATE);
	CHECK(strstr(mountinfo("/a/x"), " unbindable ") == NULL);
}

CASE(MS_REC_changes_the_whole_tree, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	directory("a/x");
	tmpfs_on("a/x");
	propagation("a", MS_SHARED | MS_REC);
	CHECK(group_of("/a", "shared:") && group_of("/a/x", "shared:"));
	CHECK(group_of("/a", "shared:") != group_of("/a/x", "shared:"));
	propagation("a", MS_PRIVATE);
	CHECK(group_of("/a/x", "shared:") != 0);
}

CASE(a_moved_mount_appears_at_all_peers_and_becomes_shared, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	peers();
	directory("c");
	tmpfs_on("c");
	put_file("c/file", "");
	CHECK_OK(mount("c", "a/x", NULL, MS_MOVE, NULL));
	CHECK(there("b/x/file"));
	CHECK(group_of("/a/x", "shared:") != 0);
	directory("d");
	CHECK_ERR(mount("a/x", "d", NULL, MS_MOVE, NULL), EINVAL);
}

CASE(a_mount_into_itself_does_not_recurse, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	directory("a/x");
	put_file("a/file", "");
	propagation("a", MS_SHARED);
	CHECK_OK(mount("a", "a/x", NULL, MS_BIND, NULL));
	CHECK(there("a/x/file"));
	CHECK(!there("a/x/x/file"));
	CHECK_OK(umount("a/x"));
}

CASE(peers_that_do_not_see_the_place_get_nothing, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	tmpfs_on("a");
	directory("a/x");
	directory("a/y");
	directory("a/y/z");
	propagation("a", MS_SHARED);
	CHECK_OK(mount("a/y", "b", NULL, MS_BIND, NULL));
	tmpfs_on("a/x");
	CHECK_STREQ(mountinfo("/b/x"), "");
	tmpfs_on("a/y/z");
	CHECK(mountinfo("/b/z")[0] != 0);
	CHECK(strstr(mountinfo("/b"), " /y ") != NULL);
}

CASE(what_is_mounted_at_a_slave_already_ends_up_on_top, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	peers();
	propagation("b", MS_SLAVE);
	tmpfs_on("b/x");
	put_file("b/x/own", "");
	tmpfs_on("a/x");
	put_file("a/x/file", "");
	CHECK(there("b/x/own"));
	CHECK_OK(umount("b/x"));
	CHECK(there("b/x/file"));
}

CASE(unmounting_uncovers_what_lies_on_the_received_mount, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	peers();
	propagation("b", MS_SLAVE);
	tmpfs_on("a/x");
	tmpfs_on("b/x");
	put_file("b/x/own", "");
	CHECK_OK(umount("a/x"));
	CHECK(there("b/x/own"));
	CHECK_OK(umount("b/x"));
	CHECK_ERR(umount("b/x"), EINVAL);
}

CASE(a_busy_copy_elsewhere_keeps_all, "umount(2)")
{
	int fd;

	PRIVATE_MOUNTS();
	peers();
	tmpfs_on("a/x");
	fd = CHECK_OK(open("b/x", O_RDONLY | O_DIRECTORY));
	CHECK_ERR(umount("a/x"), EBUSY);
	CHECK_OK(close(fd));
	CHECK_OK(umount("a/x"));
	CHECK_STREQ(mountinfo("/b/x"), "");
}

/* Runs in a new mount namespace, and the parent goes on when it is done; returns its wait status. */
static int in_new_namespace(void (*body)(void))
{
	int status;
	pid_t child = CHECK_OK(fork());

	if (child == 0) {
		CHECK_OK(unshare(CLONE_NEWNS));
		body();
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	return status;
}

static void mount_on_a_x(void)
{
	tmpfs_on("a/x");
	put_file("a/x/file", "");
}

CASE(peers_in_other_namespaces_hear_too, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	peers();
	CHECK_EQ(in_new_namespace(mount_on_a_x), 0);
	CHECK(there("a/x/file"));
	CHECK(there("b/x/file"));
}

static void slave_and_mount(void)
{
	propagation("/", MS_SLAVE | MS_REC);
	mount_on_a_x();
	CHECK(group_of("/a", "master:") != 0);
}

CASE(slaves_in_other_namespaces_keep_it_to_themselves, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	peers();
	CHECK_EQ(in_new_namespace(slave_and_mount), 0);
	CHECK(!there("a/x/file"));
}

static void private_mount(void)
{
	directory("c");
	tmpfs_on("c");
	put_file("c/file", "");
}

CASE(private_mounts_of_a_namespace_are_its_own, "mount_namespaces(7)")
{
	PRIVATE_MOUNTS();
	CHECK_EQ(in_new_namespace(private_mount), 0);
	CHECK(there("c"));
	CHECK(!there("c/file"));
}

CASE(a_new_namespace_keeps_root_and_working_directory, "unshare(2)")
{
	char before[4096], after[4096];
	struct stat one, two;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	CHECK_OK(chdir("a"));
	CHECK_OK(stat(".", &one));
	CHECK(getcwd(before, sizeof(before)) != NULL);
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK(getcwd(after, sizeof(after)) != NULL);
	CHECK_OK(stat(".", &two));
	CHECK_STREQ(after, before);
	CHECK_EQ(two.st_ino, one.st_ino);
	CHECK_EQ(two.st_dev, one.st_dev);
	CHECK_OK(chdir(".."));
	CHECK_OK(umount("a"));
	CHECK(!there("a/x"));
}

CASE(poll_on_mountinfo_tells_of_changes, "proc_pid_mounts(5)")
{
	struct pollfd wait;

	PRIVATE_MOUNTS();
	directory("a");
	wait.fd = CHECK_OK(open("/proc/self/mountinfo", O_RDONLY));
	wait.events = POLLPRI;
	CHECK_EQ(poll(&wait, 1, 0), 0);
	tmpfs_on("a");
	CHECK_EQ(poll(&wait, 1, 0), 1);
	CHECK_EQ(wait.revents, POLLERR | POLLPRI);
	CHECK_EQ(poll(&wait, 1, 0), 0);
	CHECK_OK(umount("a"));
	CHECK_EQ(poll(&wait, 1, 0), 1);
	wait.events = POLLIN;
	CHECK_EQ(poll(&wait, 1, 0), 1);
	CHECK_EQ(wait.revents, POLLIN);
}
