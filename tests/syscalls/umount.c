/* umount2(2): its flags, and what is in use. */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <sys/socket.h>

CASE(umount_errors, "umount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	CHECK_ERR(umount("a"), EINVAL);
	CHECK_ERR(umount("missing"), ENOENT);
	CHECK_ERR(umount(""), ENOENT);
	CHECK_ERR(umount(unmapped()), EFAULT);
	CHECK_ERR(umount2("a", 0x10), EINVAL);
	tmpfs_on("a");
	CHECK_ERR(umount2("a", MNT_EXPIRE | MNT_DETACH), EINVAL);
	CHECK_ERR(umount2("a", MNT_EXPIRE | MNT_FORCE), EINVAL);
	CHECK_OK(umount2("a", MNT_FORCE));
}

CASE(umount_of_what_is_in_use_gives_EBUSY, "umount(2)")
{
	int fd;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	fd = make_file("a/file", "");
	CHECK_ERR(umount("a"), EBUSY);
	CHECK_OK(close(fd));
	CHECK_OK(umount("a"));
	tmpfs_on("a");
	CHECK_OK(chdir("a"));
	CHECK_ERR(umount("../a"), EBUSY);
	CHECK_OK(chdir(".."));
	CHECK_OK(umount("a"));
	tmpfs_on("a");
	fd = make_file("a/file", "x");
	CHECK(mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	CHECK_OK(close(fd));
	CHECK_ERR(umount("a"), EBUSY);
	fd = CHECK_OK(open("a", O_PATH));
	CHECK_OK(umount2("a", MNT_DETACH));
}

CASE(MNT_DETACH_lets_those_who_use_it_go_on, "umount(2)")
{
	int fd, root;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	directory("a/sub");
	tmpfs_on("a/sub");
	root = CHECK_OK(open("a", O_RDONLY | O_DIRECTORY));
	fd = make_file("a/file", "kept");
	CHECK_OK(umount2("a", MNT_DETACH));
	CHECK(!there("a/file"));
	CHECK_EQ(pwrite(fd, "K", 1, 0), 1);
	CHECK_OK(faccessat(root, "file", F_OK, 0));
	CHECK_OK(mkdirat(root, "new", 0700));
	CHECK_STREQ(mountinfo("/a/sub"), "");
}

CASE(MNT_EXPIRE_marks_first_and_then_unmounts, "umount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	CHECK_ERR(umount2("a", MNT_EXPIRE), EAGAIN);
	CHECK(!there("a/used"));
	CHECK_OK(close(CHECK_OK(open("a", O_RDONLY))));
	CHECK_ERR(umount2("a", MNT_EXPIRE), EAGAIN);
	CHECK_OK(umount2("a", MNT_EXPIRE));
	CHECK_ERR(umount("a"), EINVAL);
}

CASE(UMOUNT_NOFOLLOW_does_not_follow_a_link, "umount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	CHECK_OK(symlink("a", "link"));
	CHECK_ERR(umount2("link", UMOUNT_NOFOLLOW), EINVAL);
	CHECK_OK(umount2("link", 0));
}

CASE(mount_point_of_a_removed_directory_gives_ENOENT, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	CHECK_OK(chdir("a"));
	CHECK_OK(rmdir("../a"));
	CHECK_ERR(mount("x", ".", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERR(mount("../b", ".", NULL, MS_BIND, NULL), ENOENT);
}

CASE(a_mount_point_in_another_namespace_can_be_removed, "mount_namespaces(7)")
{
	int ready[2], done[2], status;
	char byte = 0;
	pid_t child;

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(done));
	child = CHECK_OK(fork());
	if (child == 0) {
		CHECK_OK(unshare(CLONE_NEWNS));
		tmpfs_on("a");
		put_file("a/file", "");
		CHECK_EQ(write(ready[1], "", 1), 1);
		CHECK_EQ(read(done[0], &byte, 1), 1);
		CHECK_STREQ(mountinfo("/a"), "");
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	CHECK_OK(rmdir("a"));
	CHECK_EQ(write(done[1], "", 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

CASE(what_was_in_use_is_free_when_its_users_are_gone, "umount(2)")
{
	siginfo_t info;
	char *page;
	pid_t child;
	int fd, pair[2];

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	child = CHECK_OK(fork());
	if (child == 0)
		_exit(chdir("a") == 0 && open(".", O_RDONLY) >= 0 ? 0 : 1);
	CHECK_OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	CHECK_OK(umount("a"));
	CHECK_EQ(waitpid(child, NULL, 0), child);
	tmpfs_on("a");
	fd = make_file("a/file", "x");
	page = CHECK_OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
	CHECK_EQ(page[0], 'x');
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_OK(dup2(fd, 50));
	CHECK_OK(close(fd));
	CHECK_ERR(umount("a"), EBUSY);
	CHECK_OK(close(50));
	CHECK_ERR(umount("a"), EBUSY);
	CHECK_OK(munmap(page, 4096));
	CHECK_OK(umount("a"));
	tmpfs_on("a");
	put_file("a/script", "#!/bin/sh\nexit 0\n");
	CHECK_OK(chmod("a/script", 0755));
	CHECK_EQ(runs("a/script"), 0);
	CHECK_ERR(chdir("a/missing"), ENOENT);
	CHECK_OK(umount("a"));
}

CASE(a_program_on_it_keeps_a_mount_busy, "umount(2)")
{
	int status, ready[2];
	pid_t child;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	status = system("cp /bin/cat a/cat");
	CHECK_EQ(status, 0);
	CHECK_OK(pipe(ready));
	child = CHECK_OK(fork());
	if (child == 0) {
		CHECK_OK(dup2(ready[0], 0));
		CHECK_OK(close(ready[1]));
		execl("a/cat", "cat", (char *)NULL);
		_exit(1);
	}
	for (int tries = 0; tries < 200; tries++) {
		char exe[4096] = "";
		char name[64];

		snprintf(name, sizeof(name), "/proc/%d/exe", child);
		CHECK_OK(readlink(name, exe, sizeof(exe) - 1));
		if (strstr(exe, "/a/cat"))
			break;
		usleep(10000);
	}
	CHECK_ERR(umount("a"), EBUSY);
	CHECK_OK(close(ready[1]));
	CHECK_OK(close(ready[0]));
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_OK(umount("a"));
}
