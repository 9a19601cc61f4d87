/* When reading changes st_atime: noatime, nodiratime, relatime and strictatime (mount(2)). */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

static long atime_of(const char *path)
{
	struct stat status;

	CHECK_OK(lstat(path, &status));
	return status.st_atim.tv_sec;
}

/* Sets atime and mtime, to seconds since the epoch. */
static void set_times(const char *path, long atime, long mtime)
{
	struct timespec times[2] = { { atime, 0 }, { mtime, 0 } };

	CHECK_OK(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

static void read_all(const char *path)
{
	char text[64];
	int fd = CHECK_OK(open(path, O_RDONLY));

	CHECK(read(fd, text, sizeof(text)) > 0);
	CHECK_OK(close(fd));
}

/* In a tmpfs "a" with these flags: whether reading changes a time that is new, and one of a day ago. */
static void check_atime(unsigned long flags, bool recent, bool old)
{
	long now = time(NULL);

	CHECK_OK(mount("x", "a", "tmpfs", flags, NULL));
	put_file("a/file", "text");
	set_times("a/file", now + 1000, now - 1000);
	read_all("a/file");
	CHECK_EQ(atime_of("a/file") != now + 1000, recent);
	set_times("a/file", now - 90000, now - 100000);
	read_all("a/file");
	CHECK_EQ(atime_of("a/file") != now - 90000, old);
	CHECK_OK(umount("a"));
}

CASE(reading_sets_atime_as_the_mount_wants, "mount(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	check_atime(MS_NOATIME, false, false);
	check_atime(MS_STRICTATIME, true, true);
	CHECK_OK(mount("x", "a", "tmpfs", MS_STRICTATIME | MS_NODIRATIME, NULL));
	put_file("a/file", "text");
	set_times("a/file", 1000, 2000);
	read_all("a/file");
	CHECK(atime_of("a/file") != 1000);
}

static void list(const char *path)
{
	char buffer[1024];
	int fd = CHECK_OK(open(path, O_RDONLY | O_DIRECTORY));

	CHECK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)) > 0);
	CHECK_OK(close(fd));
}

CASE(directories_and_links_have_access_times_too, "mount(2)")
{
	char target[10];

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(mount("x", "a", "tmpfs", MS_STRICTATIME, NULL));
	directory("a/dir");
	CHECK_OK(symlink("dir", "a/link"));
	set_times("a/dir", 1000, 2000);
	list("a/dir");
	CHECK(atime_of("a/dir") != 1000);
	set_times("a/link", 1000, 2000);
	CHECK_OK(readlink("a/link", target, sizeof(target)));
	CHECK(atime_of("a/link") != 1000);
	set_times("a/link", 1000, 2000);
	CHECK_OK(access("a/link/.", F_OK));
	CHECK(atime_of("a/link") != 1000);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_NODIRATIME | MS_STRICTATIME, NULL));
	set_times("a/dir", 1000, 2000);
	list("a/dir");
	CHECK_EQ(atime_of("a/dir"), 1000);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_STRICTATIME, NULL));
	list("a/dir");
	CHECK_EQ(atime_of("a/dir"), 1000);
}

CASE(relatime_updates_what_is_older_than_the_change_or_a_day, "mount(8)")
{
	long now = time(NULL);

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(mount("x", "a", "tmpfs", MS_RELATIME, NULL));
	put_file("a/file", "text");
	set_times("a/file", now + 1000, now - 1000);
	read_all("a/file");
	CHECK_EQ(atime_of("a/file"), now + 1000);
	set_times("a/file", now - 2000, now - 1000);
	read_all("a/file");
	CHECK(atime_of("a/file") != now - 2000);
}
