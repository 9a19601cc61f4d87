/* mount(2) and umount2(2): binding, moving, remounting, the flags and what they forbid. */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <sys/statfs.h>
#include <sys/statvfs.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#define ST_NOSYMFOLLOW_ 0x2000

CASE(mount_hides_what_is_beneath_until_umount, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	put_file("a/file", "below");
	tmpfs_on("a");
	CHECK(!there("a/file"));
	CHECK_OK(umount("a"));
	CHECK(there("a/file"));
}

CASE(mount_argument_errors, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	put_file("file", "");
	CHECK_ERR(mount("x", "missing", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERR(mount("x", "file/x", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERR(mount("x", "file", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERR(mount("x", "a", "no such type", 0, NULL), ENODEV);
	CHECK_ERR(mount("x", "a", NULL, 0, NULL), EINVAL);
	CHECK_ERR(mount("x", "a", "", 0, NULL), ENODEV);
	CHECK_ERR(mount(unmapped(), "a", "tmpfs", 0, NULL), EFAULT);
	CHECK_ERR(mount("x", unmapped(), "tmpfs", 0, NULL), EFAULT);
	CHECK_ERR(mount("x", "a", unmapped(), 0, NULL), EFAULT);
	CHECK_ERR(mount("x", "a", "tmpfs", 0, unmapped()), EFAULT);
	CHECK_ERR(mount("x", "a", "tmpfs", 0, "size=many"), EINVAL);
	CHECK_ERR(mount("x", "a", "tmpfs", 0, "nonsense"), EINVAL);
	CHECK_ERR(mount("missing", "a", NULL, MS_BIND, NULL), ENOENT);
	CHECK_ERR(mount(NULL, "a", NULL, MS_BIND, NULL), EINVAL);
	CHECK_ERR(mount("", "a", NULL, MS_BIND, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "a", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERR(mount("x", "a", NULL, MS_REMOUNT, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "a", NULL, MS_PRIVATE, NULL), EINVAL);
	CHECK_ERR(mount(NULL, ".", NULL, MS_PRIVATE | MS_SHARED, NULL), EINVAL);
	CHECK_ERR(mount(NULL, ".", NULL, MS_PRIVATE | MS_NOEXEC, NULL), EINVAL);
}

CASE(mount_without_CAP_SYS_ADMIN_gives_EPERM, "mount(2)")
{
	if (geteuid() == 0)
		CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(mount("x", "/", "tmpfs", 0, NULL), EPERM);
	CHECK_ERR(mount("/", "/", NULL, MS_BIND, NULL), EPERM);
	CHECK_ERR(mount("/", "/", NULL, MS_REMOUNT, NULL), EPERM);
	CHECK_ERR(mount("x", "/missing", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERR(mount("x", "/", NULL, 0, NULL), EPERM);
	CHECK_ERR(umount("/"), EPERM);
	CHECK_ERR(umount2("/", 0x100), EINVAL);
	CHECK_ERR(umount("/missing"), ENOENT);
	CHECK_ERR(syscall(SYS_pivot_root, "/", "/"), EPERM);
	CHECK_ERR(syscall(SYS_pivot_root, "/missing", "/"), EPERM);
}

CASE(mount_takes_strings_up_to_a_page, "mount(2)")
{
	char *page = CHECK_OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	PRIVATE_MOUNTS();
	directory("a");
	memset(page, 'x', 8191);
	CHECK_ERR(mount(page, "a", "tmpfs", 0, NULL), EINVAL);
	CHECK_ERR(mount("x", "a", page, 0, NULL), EINVAL);
	CHECK_ERR(mount("x", page, "tmpfs", 0, NULL), ENAMETOOLONG);
	/* Options may lie right before the end of memory. */
	CHECK_OK(munmap(page + 4096, 4096));
	strcpy(page + 4096 - 8, "size=4k");
	CHECK_OK(mount("x", "a", "tmpfs", 0, page + 4096 - 8));
	CHECK(strstr(mountinfo("/a"), "size=4k") != NULL);
}

CASE(the_magic_number_of_old_programs_is_ignored, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(mount("x", "a", "tmpfs", MS_MGC_VAL | MS_NODEV, NULL));
	CHECK(strstr(mountinfo("/a"), "rw,nodev,relatime") != NULL);
}

CASE(bind_mount_shows_a_part_of_a_tree_elsewhere, "mount(2)")
{
	struct stat one, two;

	PRIVATE_MOUNTS();
	directory("a");
	directory("a/b");
	directory("c");
	put_file("a/b/file", "seen");
	CHECK_OK(mount("a/b", "c", NULL, MS_BIND, NULL));
	CHECK_STREQ(text_of("c/file"), "seen");
	CHECK_OK(stat("c/file", &one));
	CHECK_OK(stat("a/b/file", &two));
	CHECK(one.st_dev == two.st_dev && one.st_ino == two.st_ino);
	CHECK_ERR(link("a/b/file", "c/other"), EXDEV);
	CHECK_ERR(rename("a/b/file", "c/other"), EXDEV);
	put_file("c/new", "");
	CHECK(there("a/b/new"));
	CHECK(strstr(mountinfo("/c"), " /a/b ") != NULL);
}

CASE(bind_mount_of_a_file_goes_on_a_file, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	put_file("one", "1");
	put_file("two", "2");
	CHECK_ERR(mount("one", "a", NULL, MS_BIND, NULL), ENOTDIR);
	CHECK_ERR(mount("a", "one", NULL, MS_BIND, NULL), ENOTDIR);
	CHECK_OK(mount("one", "two", NULL, MS_BIND, NULL));
	CHECK_STREQ(text_of("two"), "1");
	CHECK_ERR(unlink("two"), EBUSY);
	CHECK_ERR(rename("two", "three"), EBUSY);
	CHECK_ERR(rename("one", "two"), EBUSY);
	CHECK_OK(umount("two"));
	CHECK_STREQ(text_of("two"), "2");
}

CASE(bind_mount_takes_submounts_with_MS_REC_only, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	directory("a/b");
	directory("c");
	directory("d");
	tmpfs_on("a/b");
	put_file("a/b/file", "");
	CHECK_OK(mount("a", "c", NULL, MS_BIND, NULL));
	CHECK_OK(mount("a", "d", NULL, MS_BIND | MS_REC, NULL));
	CHECK(!there("c/b/file"));
	CHECK(there("d/b/file"));
	CHECK_ERR(umount("d"), EBUSY);
	CHECK_OK(umount("d/b"));
	CHECK_OK(umount("d"));
}

CASE(mounts_on_one_place_are_a_stack, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	put_file("a/lower", "");
	tmpfs_on("a");
	put_file("a/upper", "");
	CHECK(!there("a/lower"));
	CHECK_OK(umount("a"));
	CHECK(there("a/lower"));
	CHECK_OK(umount("a"));
	CHECK_ERR(umount("a"), EINVAL);
}

CASE(the_same_instance_twice_on_one_place_gives_EBUSY, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(mount("sysfs", "a", "sysfs", 0, NULL));
	CHECK_ERR(mount("sysfs", "a", "sysfs", 0, NULL), EBUSY);
	CHECK_OK(umount("a"));
}

CASE(MS_MOVE_takes_a_tree_elsewhere, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	tmpfs_on("a");
	directory("a/sub");
	tmpfs_on("a/sub");
	put_file("a/sub/file", "");
	CHECK_OK(mount("a", "b", NULL, MS_MOVE, NULL));
	CHECK(there("b/sub/file"));
	CHECK(!there("a/sub"));
}

CASE(MS_MOVE_errors, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	put_file("file", "");
	tmpfs_on("a");
	directory("a/sub");
	CHECK_ERR(mount("b", "a", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERR(mount("missing", "b", NULL, MS_MOVE, NULL), ENOENT);
	CHECK_ERR(mount("a", "file", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERR(mount("a", "a/sub", NULL, MS_MOVE, NULL), ELOOP);
	CHECK_ERR(mount("/", "b", NULL, MS_MOVE, NULL), ELOOP);
	CHECK_OK(mount(NULL, ".", NULL, MS_SHARED, NULL));
	CHECK_ERR(mount("a", "b", NULL, MS_MOVE, NULL), EINVAL);
}

CASE(a_read_only_bind_leaves_the_other_mount_writable, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	tmpfs_on("a");
	put_file("a/file", "");
	CHECK_OK(mount("a", "b", NULL, MS_BIND | MS_RDONLY, NULL));
	put_file("b/written", "");
	CHECK_OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK_ERR(open("b/new", O_WRONLY | O_CREAT, 0600), EROFS);
	CHECK_ERR(open("b/file", O_WRONLY), EROFS);
	CHECK_ERR(mkdir("b/new", 0700), EROFS);
	CHECK_ERR(unlink("b/file"), EROFS);
	CHECK_ERR(chmod("b/file", 0600), EROFS);
	CHECK_ERR(truncate("b/file", 0), EROFS);
	CHECK_ERR(access("b/file", W_OK), EROFS);
	put_file("a/new", "");
	CHECK_OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND, NULL));
	put_file("b/newer", "");
}

CASE(a_read_only_remount_holds_for_all_mounts_of_the_file_system, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	tmpfs_on("a");
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERR(open("b/new", O_WRONLY | O_CREAT, 0600), EROFS);
	CHECK(strstr(mountinfo("/b"), " rw,relatime - tmpfs tmpfs ro") != NULL);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT, NULL));
	put_file("b/new", "");
}

CASE(remount_keeps_the_atime_flags_that_it_does_not_name, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(mount("x", "a", "tmpfs", MS_NOATIME | MS_NOSUID, NULL));
	CHECK(strstr(mountinfo("/a"), " rw,nosuid,noatime ") != NULL);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND, NULL));
	CHECK(strstr(mountinfo("/a"), " rw,noatime ") != NULL);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_NODIRATIME, NULL));
	CHECK(strstr(mountinfo("/a"), " rw,nodiratime,relatime ") != NULL);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_STRICTATIME, NULL));
	CHECK(strstr(mountinfo("/a"), " rw - ") != NULL);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RELATIME, NULL));
	CHECK(strstr(mountinfo("/a"), " rw,relatime ") != NULL);
}

CASE(noexec_forbids_programs_and_executable_mappings, "mount(2)")
{
	int fd;

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(mount("x", "a", "tmpfs", MS_NOEXEC, NULL));
	put_file("a/script", "#!/bin/true\n");
	CHECK_OK(chmod("a/script", 0755));
	CHECK_EQ(runs("a/script"), EACCES);
	CHECK_ERR(access("a/script", X_OK), EACCES);
	fd = CHECK_OK(open("a/script", O_RDONLY));
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0), EPERM);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND, NULL));
	CHECK_EQ(runs("a/script"), 0);
}

CASE(nodev_forbids_to_open_devices, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(mount("x", "a", "tmpfs", MS_NODEV, NULL));
	CHECK_OK(mknod("a/null", S_IFCHR | 0666, 0x103));
	CHECK_ERR(open("a/null", O_RDONLY), EACCES);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND, NULL));
	CHECK_OK(open("a/null", O_RDONLY));
}

CASE(nosymfollow_refuses_links_but_reads_them, "mount(2)")
{
	char target[10];

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(mount("x", "a", "tmpfs", MS_NOSYMFOLLOW, NULL));
	put_file("a/file", "");
	directory("a/dir");
	CHECK_OK(symlink("file", "a/link"));
	CHECK_OK(symlink("dir", "a/way"));
	CHECK_ERR(open("a/link", O_RDONLY), ELOOP);
	CHECK_ERR(access("a/way/missing", F_OK), ELOOP);
	CHECK_ERR(access("a/link", F_OK), ELOOP);
	CHECK_EQ(readlink("a/link", target, sizeof(target)), 4);
	CHECK_OK(open("a/link", O_PATH | O_NOFOLLOW));
	CHECK(strstr(mountinfo("/a"), "nosymfollow") != NULL);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND, NULL));
	CHECK_OK(open("a/link", O_RDONLY));
}

CASE(statfs_tells_the_mount_flags, "statfs(2)")
{
	struct statfs info;

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(mount("x", "a", "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOATIME | MS_NOSYMFOLLOW, NULL));
	CHECK_OK(statfs("a", &info));
	CHECK_EQ(info.f_flags, ST_NODEV | ST_NOSUID | ST_NOEXEC | ST_NOATIME | ST_NOSYMFOLLOW_ | 0x20);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY | MS_RELATIME | MS_NODIRATIME, NULL));
	CHECK_OK(statfs("a", &info));
	CHECK_EQ(info.f_flags, ST_RDONLY | ST_RELATIME | ST_NODIRATIME | 0x20);
}
