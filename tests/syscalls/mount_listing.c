/* statmount(2) and listmount(2), and the mount ids of statx(2). */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <sys/sysmacros.h>

#define SYS_statmount_ 457
#define SYS_listmount_ 458
#define ROOT (~0ull)
#define REVERSE 1
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000
#endif
#define STATX_MNT_ID_UNIQUE_ 0x4000

enum {
	SB_BASIC = 1, MNT_BASIC = 2, PROPAGATE_FROM = 4, MNT_ROOT = 8, MNT_POINT = 16, FS_TYPE = 32, MNT_NS_ID = 64,
	MNT_OPTS = 128, SB_SOURCE = 0x200,
};

struct request {
	uint32_t size, spare;
	uint64_t id, parameter, namespace;
};

struct answer {
	uint32_t size, options;
	uint64_t mask;
	uint32_t major, minor;
	uint64_t magic;
	uint32_t flags, type;
	uint64_t id, parent;
	uint32_t old_id, old_parent;
	uint64_t attributes, propagation, group, master, from;
	uint32_t root, point;
	uint64_t namespace;
	uint32_t subtype, source;
	uint64_t spare[48];
	char strings[2048];
};

static uint64_t id_of(const char *path, unsigned mask)
{
	struct statx status;

	CHECK_OK(statx(AT_FDCWD, path, 0, mask, &status));
	CHECK((status.stx_mask & mask) == mask);
	return *(uint64_t *)((char *)&status + 0x90);
}

static int describe(uint64_t id, uint64_t wanted, struct answer *answer, size_t size)
{
	struct request request = { .size = 24, .id = id, .parameter = wanted };

	return syscall(SYS_statmount_, &request, answer, size, 0);
}

static int list(uint64_t id, uint64_t after, uint64_t *ids, size_t count, unsigned flags)
{
	struct request request = { .size = 24, .id = id, .parameter = after };

	return syscall(SYS_listmount_, &request, ids, count, flags);
}

CASE(statx_tells_both_ids_of_the_mount, "statx(2)")
{
	PRIVATE_MOUNTS();
	directory("a");
	CHECK_EQ(id_of("a", STATX_MNT_ID), id_of(".", STATX_MNT_ID));
	tmpfs_on("a");
	CHECK_EQ(id_of("a", STATX_MNT_ID), atoi(mountinfo("/a")));
	CHECK(id_of("a", STATX_MNT_ID_UNIQUE_) > 1ull << 31);
	CHECK(id_of("a", STATX_MNT_ID_UNIQUE_) != id_of(".", STATX_MNT_ID_UNIQUE_));
}

CASE(statmount_describes_a_mount, "statmount(2)")
{
	struct answer answer;
	uint64_t id;
	struct stat status;

	PRIVATE_MOUNTS();
	directory("a");
	CHECK_OK(mount("mine", "a", "tmpfs", MS_NODEV | MS_NOATIME, "size=64k"));
	CHECK_OK(stat("a", &status));
	id = id_of("a", STATX_MNT_ID_UNIQUE_);
	CHECK_OK(describe(id, SB_BASIC | MNT_BASIC | FS_TYPE | MNT_ROOT | MNT_POINT | SB_SOURCE, &answer, sizeof(answer)));
	CHECK_EQ(answer.mask, SB_BASIC | MNT_BASIC | FS_TYPE | MNT_ROOT | MNT_POINT | SB_SOURCE);
	CHECK_EQ(answer.magic, 0x01021994);
	CHECK_EQ(makedev(answer.major, answer.minor), status.st_dev);
	CHECK_EQ(answer.id, id);
	CHECK_EQ(answer.parent, id_of(".", STATX_MNT_ID_UNIQUE_));
	CHECK_EQ(answer.old_id, id_of("a", STATX_MNT_ID));
	CHECK_EQ(answer.attributes, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
	CHECK_EQ(answer.propagation, MS_PRIVATE);
	CHECK_STREQ(answer.strings + answer.type, "tmpfs");
	CHECK_STREQ(answer.strings + answer.root, "/");
	CHECK_STREQ(answer.strings + answer.source, "mine");
	CHECK(strcmp(answer.strings + answer.point + strlen(answer.strings + answer.point) - 2, "/a") == 0);
	CHECK_OK(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CHECK_OK(describe(id, MNT_BASIC, &answer, sizeof(answer)));
	CHECK_EQ(answer.propagation, MS_SHARED);
	CHECK_EQ(answer.group, group_of("/a", "shared:"));
	CHECK_EQ(answer.size, 512);
	CHECK_OK(describe(id, MNT_OPTS, &answer, sizeof(answer)));
	CHECK(strstr(answer.strings + answer.options, "size=64k") != NULL);
}

CASE(statmount_errors, "statmount(2)")
{
	struct answer answer;
	struct request request = { .size = 24, .parameter = MNT_BASIC };
	uint64_t id;

	PRIVATE_MOUNTS();
	id = id_of(".", STATX_MNT_ID_UNIQUE_);
	CHECK_ERR(describe(1, MNT_BASIC, &answer, sizeof(answer)), EINVAL);
	CHECK_ERR(describe(id + 1000000, MNT_BASIC, &answer, sizeof(answer)), ENOENT);
	CHECK_ERR(describe(id, FS_TYPE, &answer, 514), EOVERFLOW);
	CHECK_ERR(describe(id, MNT_BASIC, unmapped(), 512), EFAULT);
	request.id = id;
	CHECK_ERR(syscall(SYS_statmount_, &request, &answer, sizeof(answer), 1), EINVAL);
	CHECK_ERR(syscall(SYS_statmount_, unmapped(), &answer, sizeof(answer), 0), EFAULT);
	request.size = 23;
	CHECK_ERR(syscall(SYS_statmount_, &request, &answer, sizeof(answer), 0), EINVAL);
	request.size = 5000;
	CHECK_ERR(syscall(SYS_statmount_, &request, &answer, sizeof(answer), 0), E2BIG);
	CHECK_OK(describe(id, MNT_BASIC, &answer, 64));
	CHECK_EQ(answer.id, id);
}

CASE(listmount_lists_what_is_below, "listmount(2)")
{
	uint64_t ids[20], a, x, y;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	directory("a/x");
	directory("a/y");
	tmpfs_on("a/x");
	tmpfs_on("a/y");
	a = id_of("a", STATX_MNT_ID_UNIQUE_);
	x = id_of("a/x", STATX_MNT_ID_UNIQUE_);
	y = id_of("a/y", STATX_MNT_ID_UNIQUE_);
	CHECK_EQ(list(a, 0, ids, 20, 0), 2);
	CHECK(ids[0] == x && ids[1] == y);
	CHECK_EQ(list(a, 0, ids, 20, REVERSE), 2);
	CHECK(ids[0] == y && ids[1] == x);
	CHECK_EQ(list(a, 0, ids, 1, 0), 1);
	CHECK_EQ(list(a, x, ids, 20, 0), 1);
	CHECK_EQ(ids[0], y);
	CHECK_EQ(list(a, y, ids, 20, 0), 0);
	CHECK_EQ(list(x, 0, ids, 20, 0), 0);
	CHECK_EQ(list(id_of(".", STATX_MNT_ID_UNIQUE_), 0, ids, 20, 0), 3);
}

CASE(listmount_of_the_root_lists_all, "listmount(2)")
{
	static uint64_t ids[1000];
	uint64_t here;
	int count, found = 0;

	PRIVATE_MOUNTS();
	here = id_of(".", STATX_MNT_ID_UNIQUE_);
	count = CHECK_OK(list(ROOT, 0, ids, 1000, 0));
	for (int i = 0; i < count; i++) {
		found += ids[i] == here;
		CHECK(i == 0 || ids[i] > ids[i - 1]);
	}
	CHECK_EQ(found, 1);
}

CASE(listmount_errors, "listmount(2)")
{
	uint64_t ids[4];

	CHECK_ERR(list(ROOT, 0, ids, 4, 2), EINVAL);
	CHECK_ERR(list(5, 0, ids, 4, 0), EINVAL);
	CHECK_ERR(list(ROOT, 5, ids, 4, 0), EINVAL);
	CHECK_ERR(list((1ull << 31) + 1000000000, 0, ids, 4, 0), ENOENT);
	CHECK_ERR(list(ROOT, 0, ids, 1000001, 0), EOVERFLOW);
	CHECK_ERR(list(ROOT, 0, unmapped(), 4, 0), EFAULT);
	CHECK_OK(list(ROOT, 0, ids, 0, 0));
}
