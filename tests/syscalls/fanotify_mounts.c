/* fanotify(7) with FAN_REPORT_MNT: what is mounted and unmounted in a mount namespace. */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <sys/fanotify.h>

#define REPORT_MNT 0x4000
#define MARK_MNTNS 0x110
#undef MNT_DETACH /* of umount2(2) */
#define MNT_ATTACH 0x01000000
#define MNT_DETACH 0x02000000
#define BOTH (MNT_ATTACH | MNT_DETACH)
#define UNIQUE_ID 0x4000

struct event {
	struct fanotify_event_metadata event;
	struct fanotify_event_info_header head;
	uint64_t id __attribute__((aligned(8)));
};

static int group(void)
{
	int fd;

	NEEDS_ROOT();
	fd = fanotify_init(REPORT_MNT | FAN_NONBLOCK, 0);
	if (fd == -1 && errno == EINVAL)
		SKIP("before Linux 6.15");
	return CHECK_OK(fd);
}

static uint64_t id_of(const char *path)
{
	struct statx status;

	CHECK_OK(statx(AT_FDCWD, path, 0, UNIQUE_ID, &status));
	CHECK(status.stx_mask & UNIQUE_ID);
	return *(uint64_t *)((char *)&status + 0x90);
}

/* The next event tells this of the mount with this id. */
static void expect(int fd, uint64_t mask, uint64_t id)
{
	struct event told;

	CHECK_EQ(read(fd, &told, sizeof(told)), sizeof(told));
	CHECK_EQ(told.event.mask, mask);
	CHECK_EQ(told.event.fd, FAN_NOFD);
	CHECK_EQ(told.head.info_type, 7);
	CHECK_EQ(told.head.len, 16);
	CHECK_EQ(told.id, id);
}

static void expect_nothing(int fd)
{
	struct event told;

	CHECK_ERR(read(fd, &told, sizeof(told)), EAGAIN);
}

CASE(mounts_are_told_of_when_they_come_and_go, "fanotify_mark(2)")
{
	int fd = group();
	uint64_t id;

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, BOTH, AT_FDCWD, "/proc/self/ns/mnt"));
	tmpfs_on("a");
	id = id_of("a");
	expect(fd, MNT_ATTACH, id);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	expect_nothing(fd);
	CHECK_OK(umount("a"));
	expect(fd, MNT_DETACH, id);
	expect_nothing(fd);
}

CASE(a_move_is_told_as_both_at_once, "fanotify_mark(2)")
{
	int fd = group();
	uint64_t id;

	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	tmpfs_on("a");
	id = id_of("a");
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, BOTH, AT_FDCWD, "/proc/self/ns/mnt"));
	CHECK_OK(mount("a", "b", NULL, MS_MOVE, NULL));
	expect(fd, BOTH, id);
	CHECK_OK(umount2("b", 2));
	expect(fd, MNT_DETACH, id);
	expect_nothing(fd);
}

CASE(every_mount_of_a_tree_is_told_of, "fanotify_mark(2)")
{
	int fd = group();
	uint64_t outer, inner;

	PRIVATE_MOUNTS();
	directory("a");
	directory("b");
	tmpfs_on("a");
	directory("a/inner");
	tmpfs_on("a/inner");
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, BOTH, AT_FDCWD, "/proc/self/ns/mnt"));
	CHECK_OK(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	outer = id_of("b");
	inner = id_of("b/inner");
	expect(fd, MNT_ATTACH, outer);
	expect(fd, MNT_ATTACH, inner);
	expect_nothing(fd);
}

CASE(only_what_is_wanted_is_told, "fanotify_mark(2)")
{
	int fd = group();
	uint64_t id;

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, MNT_DETACH, AT_FDCWD, "/proc/self/ns/mnt"));
	tmpfs_on("a");
	expect_nothing(fd);
	id = id_of("a");
	CHECK_OK(umount("a"));
	expect(fd, MNT_DETACH, id);
	CHECK_OK(fanotify_mark(fd, FAN_MARK_REMOVE | MARK_MNTNS, MNT_DETACH, AT_FDCWD, "/proc/self/ns/mnt"));
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_REMOVE | MARK_MNTNS, MNT_DETACH, AT_FDCWD, "/proc/self/ns/mnt"), ENOENT);
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, BOTH, AT_FDCWD, "/proc/self/ns/mnt"));
	CHECK_OK(fanotify_mark(fd, FAN_MARK_FLUSH | MARK_MNTNS, 0, AT_FDCWD, NULL));
	tmpfs_on("a");
	expect_nothing(fd);
}

CASE(other_namespaces_are_not_told_of, "fanotify_mark(2)")
{
	int fd = group();

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, BOTH, AT_FDCWD, "/proc/self/ns/mnt"));
	CHECK_OK(open("/proc/self/ns/mnt", O_RDONLY));
	CHECK_OK(unshare(CLONE_NEWNS));
	tmpfs_on("a");
	CHECK_OK(umount("a"));
	expect_nothing(fd);
}

CASE(the_end_of_a_namespace_takes_all_its_mounts_away, "fanotify_mark(2)")
{
	struct event told;
	int fd = group(), here = CHECK_OK(open("/proc/self/ns/mnt", O_RDONLY)), found = 0;
	uint64_t id;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	id = id_of("a");
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, BOTH, AT_FDCWD, "/proc/self/ns/mnt"));
	CHECK_OK(setns(here, CLONE_NEWNS));
	usleep(100000);
	while (read(fd, &told, sizeof(told)) == sizeof(told)) {
		CHECK_EQ(told.event.mask, MNT_DETACH);
		found += told.id == id;
	}
	CHECK_EQ(found, 1);
}

CASE(mount_events_are_a_kind_of_their_own, "fanotify_init(2)")
{
	int fd = group(), other = CHECK_OK(fanotify_init(FAN_CLASS_NOTIF, 0));

	CHECK_ERR(fanotify_init(REPORT_MNT | FAN_REPORT_FID, 0), EINVAL);
	CHECK_ERR(fanotify_init(REPORT_MNT | FAN_CLASS_CONTENT, 0), EINVAL);
	CHECK_ERR(fanotify_init(REPORT_MNT | 0x2000, 0), EINVAL);
	CHECK_OK(close(CHECK_OK(fanotify_init(REPORT_MNT | FAN_REPORT_PIDFD, 0))));
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, MNT_ATTACH, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, MNT_ATTACH, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, MNT_ATTACH, AT_FDCWD, "/proc/self/ns/uts"), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, MNT_ATTACH | FAN_OPEN, AT_FDCWD, "/proc/self/ns/mnt"),
		  EINVAL);
	CHECK_ERR(fanotify_mark(other, FAN_MARK_ADD | MARK_MNTNS, MNT_ATTACH, AT_FDCWD, "/proc/self/ns/mnt"), EINVAL);
	CHECK_ERR(fanotify_mark(other, FAN_MARK_FLUSH | MARK_MNTNS, 0, AT_FDCWD, NULL), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL), EINVAL);
}
