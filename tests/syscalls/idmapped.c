/* Mounts whose files seem to be others': mount_setattr(2), "ID-mapped mounts". */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <grp.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/xattr.h>

#define SYS_open_tree_ 428
#define SYS_move_mount_ 429
#define SYS_mount_setattr_ 442
#define SYS_open_tree_attr_ 467
#define ATTR_IDMAP 0x100000
#define ATTR_NODEV 4
#define TREE_CLONE 1
#define EMPTY 0x1000
#define FROM_EMPTY 4

enum { FIRST = 10000, COUNT = 5000 }; /* ids 0 to 4999 of the files seem to be 10000 to 14999 */

struct attributes {
	uint64_t set, clear, propagation, userns_fd;
};

/* A descriptor of a user namespace with this mapping; NULL: with none. */
static int user_namespace(const char *mapping)
{
	char path[64];
	int fd, map, ends[2];
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		if (unshare(CLONE_NEWUSER) == -1)
			_exit(1);
		tell(ends[1]);
		pause();
	}
	await(ends[0]);
	for (int i = 0; mapping && i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", child, i ? "gid_map" : "uid_map");
		map = CHECK_OK(open(path, O_WRONLY));
		CHECK_EQ(write(map, mapping, strlen(mapping)), strlen(mapping));
		close(map);
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/user", child);
	fd = CHECK_OK(open(path, O_RDONLY | O_CLOEXEC));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ends[0]);
	close(ends[1]);
	return fd;
}

static int clone_of(const char *path)
{
	return CHECK_OK(syscall(SYS_open_tree_, AT_FDCWD, path, TREE_CLONE | O_CLOEXEC));
}

static int map_mount(int tree, int namespace)
{
	struct attributes attributes = { .set = ATTR_IDMAP, .userns_fd = namespace };

	return syscall(SYS_mount_setattr_, tree, "", EMPTY, &attributes, sizeof(attributes));
}

static void attach(int tree, const char *path)
{
	CHECK_OK(syscall(SYS_move_mount_, tree, "", AT_FDCWD, path, FROM_EMPTY));
}

/* In "top": the directory "files", and the same idmapped as "mapped". */
static void both(void)
{
	char mapping[64];
	int namespace, tree;

	PRIVATE_MOUNTS();
	CHECK_OK(chmod(".", 0755));
	umask(0);
	CHECK_OK(mkdir("files", 0777));
	CHECK_OK(mkdir("mapped", 0777));
	snprintf(mapping, sizeof(mapping), "0 %d %d", FIRST, COUNT);
	namespace = user_namespace(mapping);
	tree = clone_of("files");
	CHECK_OK(map_mount(tree, namespace));
	attach(tree, "mapped");
	close(tree);
	close(namespace);
}

static void file_of(const char *path, int uid, int mode)
{
	put_file(path, "contents");
	CHECK_OK(chown(path, uid, uid));
	CHECK_OK(chmod(path, mode));
}

static int owner(const char *path)
{
	struct stat status;

	CHECK_OK(lstat(path, &status));
	CHECK_EQ(status.st_uid, status.st_gid);
	return status.st_uid;
}

/* Run in a child as an ordinary user. */
#define AS(uid, ...)						\
	do {							\
		pid_t child_ = fork_child();			\
		if (child_ == 0) {				\
			CHECK_OK(setgroups(0, NULL));		\
			CHECK_OK(setresgid(uid, uid, uid));	\
			CHECK_OK(setresuid(uid, uid, uid));	\
			__VA_ARGS__;				\
			_exit(0);				\
		}						\
		CHECK_EXITS(child_, 0);				\
	} while (0)

CASE(files_seem_to_be_others, "mount_setattr(2)")
{
	struct stat status;
	struct statx more;
	int fd;

	both();
	file_of("files/a", 1000, 0644);
	file_of("files/root", 0, 0644);
	file_of("files/nobody's", COUNT + 1000, 0644);
	CHECK_EQ(owner("mapped/a"), FIRST + 1000);
	CHECK_EQ(owner("mapped/root"), FIRST);
	CHECK_EQ(owner("mapped/nobody's"), 65534);
	CHECK_EQ(owner("files/a"), 1000);
	CHECK_EQ(owner("mapped"), FIRST);
	CHECK_EQ(owner("files"), 0);
	CHECK_OK(stat("mapped/a", &status));
	CHECK_EQ(status.st_uid, FIRST + 1000);
	CHECK_OK(fstatat(AT_FDCWD, "mapped/a", &status, AT_SYMLINK_NOFOLLOW));
	CHECK_EQ(status.st_gid, FIRST + 1000);
	CHECK_OK(statx(AT_FDCWD, "mapped/a", 0, STATX_BASIC_STATS, &more));
	CHECK_EQ(more.stx_uid, FIRST + 1000);
	fd = CHECK_OK(open("mapped/a", O_RDONLY));
	CHECK_OK(syscall(SYS_fstat, fd, &status));
	CHECK_EQ(status.st_uid, FIRST + 1000);
	CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &more));
	CHECK_EQ(more.stx_gid, FIRST + 1000);
	fd = CHECK_OK(open("mapped", O_PATH));
	CHECK_OK(fstatat(fd, "", &status, AT_EMPTY_PATH));
	CHECK_EQ(status.st_uid, FIRST);
	CHECK_OK(chdir("mapped"));
	CHECK_EQ(owner("a"), FIRST + 1000);
	CHECK_EQ(owner("."), FIRST);
	CHECK_EQ(owner(".."), 0);
	CHECK_EQ(owner("../mapped/../files/a"), 1000);
}

CASE(new_files_are_stored_as_the_mapping_says, "mount_setattr(2)")
{
	both();
	AS(FIRST + 1000, {
		put_file("mapped/file", "x");
		CHECK_OK(mkdir("mapped/dir", 0755));
		CHECK_OK(symlink("file", "mapped/link"));
		CHECK_OK(mkfifo("mapped/fifo", 0644));
		CHECK_OK(link("mapped/file", "mapped/second"));
		CHECK_OK(rename("mapped/second", "mapped/renamed"));
		CHECK_EQ(owner("mapped/file"), FIRST + 1000);
		CHECK_OK(chmod("mapped/file", 0600));
		CHECK_OK(truncate("mapped/file", 0));
	});
	CHECK_EQ(owner("files/file"), 1000);
	CHECK_EQ(owner("files/dir"), 1000);
	CHECK_EQ(owner("files/link"), 1000);
	CHECK_EQ(owner("files/fifo"), 1000);
	CHECK_EQ(owner("files/renamed"), 1000);
	CHECK_EQ(owner("mapped/link"), FIRST + 1000);
}

CASE(a_whiteout_is_stored_as_the_mapping_says, "rename(2)")
{
	both();
	AS(FIRST + 1000, {
		put_file("mapped/file", "x");
		CHECK_OK(renameat2(AT_FDCWD, "mapped/file", AT_FDCWD, "mapped/moved", RENAME_WHITEOUT));
		CHECK_EQ(owner("mapped/file"), FIRST + 1000);
	});
	CHECK_EQ(owner("files/file"), 1000);
	CHECK_EQ(owner("files/moved"), 1000);
}

CASE(who_has_no_id_there_makes_no_files, "mount_setattr(2)")
{
	both();
	CHECK_ERR(open("mapped/file", O_CREAT | O_WRONLY, 0600), EOVERFLOW);
	CHECK_ERR(open("mapped", O_TMPFILE | O_WRONLY, 0600), EOVERFLOW);
	CHECK_ERR(mkdir("mapped/dir", 0700), EOVERFLOW);
	CHECK_ERR(symlink("x", "mapped/link"), EOVERFLOW);
	CHECK_ERR(mkfifo("mapped/fifo", 0600), EOVERFLOW);
	put_file("files/file", "x");
	CHECK_ERR(link("mapped/file", "mapped/second"), EOVERFLOW);
	CHECK_ERR(rename("mapped/file", "mapped/second"), EOVERFLOW);
	CHECK_OK(unlink("mapped/file"));
}

CASE(permissions_are_those_of_the_mapped_owner, "mount_setattr(2)")
{
	both();
	file_of("files/a", 1000, 0600);
	CHECK_OK(mkdir("files/dir", 0700));
	CHECK_OK(chown("files/dir", 1000, 1000));
	file_of("files/dir/inside", 1000, 0600);
	AS(FIRST + 1000, {
		CHECK_OK(open("mapped/a", O_RDWR));
		CHECK_OK(access("mapped/a", R_OK | W_OK));
		CHECK_OK(chdir("mapped/dir"));
		CHECK_OK(open("inside", O_RDWR));
		CHECK_OK(utimensat(AT_FDCWD, "inside", NULL, 0));
		CHECK_OK(setxattr("../a", "user.x", "v", 1, 0));
		CHECK_ERR(open("../../files/a", O_RDONLY), EACCES);
		CHECK_ERR(chmod("../../files/a", 0644), EPERM);
	});
	AS(1000, {
		CHECK_ERR(open("mapped/a", O_RDONLY), EACCES);
		CHECK_ERR(access("mapped/a", R_OK), EACCES);
		CHECK_ERR(access("mapped/dir/inside", F_OK), EACCES);
		CHECK_ERR(chdir("mapped/dir"), EACCES);
		CHECK_ERR(chmod("mapped/a", 0644), EPERM);
		CHECK_ERR(utimensat(AT_FDCWD, "mapped/a", NULL, 0), EACCES);
		CHECK_ERR(open("mapped/new", O_CREAT | O_WRONLY, 0600), EOVERFLOW);
		CHECK_OK(open("files/a", O_RDWR));
	});
	CHECK_OK(open("mapped/a", O_RDWR)); /* CAP_DAC_OVERRIDE counts for files that somebody owns */
}

CASE(nobodys_files_are_not_written_to, "mount_setattr(2)")
{
	both();
	file_of("files/open", COUNT + 1, 0666);
	file_of("files/closed", COUNT + 1, 0600);
	CHECK_OK(open("mapped/open", O_RDONLY));
	CHECK_ERR(open("mapped/open", O_WRONLY), EACCES);
	CHECK_ERR(open("mapped/closed", O_RDONLY), EACCES);
	CHECK_ERR(access("mapped/open", W_OK), EACCES);
	CHECK_ERR(truncate("mapped/open", 0), EACCES);
	CHECK_ERR(chmod("mapped/open", 0644), EOVERFLOW);
	CHECK_ERR(unlink("mapped/open"), EOVERFLOW);
	CHECK_ERR(setxattr("mapped/open", "user.x", "v", 1, 0), EPERM);
	CHECK_ERR(chown("mapped/open", FIRST, -1), EOVERFLOW);
	CHECK_OK(open("files/open", O_WRONLY));
}

CASE(owners_are_changed_through_the_mapping, "chown(2)")
{
	both();
	file_of("files/a", 1000, 0644);
	CHECK_OK(chown("mapped/a", FIRST + 7, FIRST + 7));
	CHECK_EQ(owner("files/a"), 7);
	CHECK_EQ(owner("mapped/a"), FIRST + 7);
	CHECK_ERR(chown("mapped/a", 7, 7), EOVERFLOW);
	CHECK_ERR(chown("mapped/a", -1, FIRST + COUNT), EOVERFLOW);
	CHECK_OK(chown("mapped/a", -1, -1));
	AS(FIRST + 7, {
		CHECK_OK(chown("mapped/a", FIRST + 7, FIRST + 7));
		CHECK_ERR(chown("mapped/a", FIRST + 8, -1), EPERM);
	});
}

CASE(sticky_directories_know_the_mapped_owner, "mount_setattr(2)")
{
	both();
	CHECK_OK(chown("files", 2000, 2000));
	CHECK_OK(chmod("files", 01777));
	file_of("files/a", 1000, 0644);
	file_of("files/b", 1000, 0644);
	AS(FIRST + 3000, CHECK_ERR(unlink("mapped/a"), EPERM));
	AS(1000, CHECK_ERR(unlink("mapped/a"), EPERM));
	AS(FIRST + 1000, CHECK_OK(unlink("mapped/a")));
	AS(FIRST + 2000, CHECK_OK(unlink("mapped/b")));
}

CASE(a_set_user_id_program_runs_as_the_mapped_owner, "mount_setattr(2)")
{
	char line[64] = "";
	int ends[2];
	pid_t child;

	both();
	CHECK_EQ(system("cp /usr/bin/id files/id"), 0);
	CHECK_OK(chown("files/id", 1000, 1000));
	CHECK_OK(chmod("files/id", 04755));
	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		dup2(ends[1], 1);
		execl("mapped/id", "id", "-u", NULL);
		_exit(1);
	}
	CHECK_EXITS(child, 0);
	CHECK(read(ends[0], line, sizeof(line) - 1) > 0);
	CHECK_EQ(atoi(line), FIRST + 1000);
}

struct acl {
	uint32_t version;
	struct {
		uint16_t tag, permissions;
		uint32_t id;
	} entries[5];
};

CASE(access_lists_name_mapped_users, "acl(5)")
{
	struct acl acl = { 2, { { 1, 6, -1 }, { 2, 4, FIRST + 1000 }, { 4, 0, -1 }, { 0x10, 4, -1 }, { 0x20, 0, -1 } } };
	struct acl seen;

	both();
	file_of("files/a", 0, 0600);
	CHECK_OK(setxattr("mapped/a", "system.posix_acl_access", &acl, sizeof(acl), 0));
	CHECK_EQ(getxattr("files/a", "system.posix_acl_access", &seen, sizeof(seen)), sizeof(seen));
	CHECK_EQ(seen.entries[1].id, 1000);
	CHECK_EQ(getxattr("mapped/a", "system.posix_acl_access", &seen, sizeof(seen)), sizeof(seen));
	CHECK_EQ(seen.entries[1].id, FIRST + 1000);
	AS(FIRST + 1000, CHECK_OK(open("mapped/a", O_RDONLY)));
	AS(1000, CHECK_ERR(open("mapped/a", O_RDONLY), EACCES));
	acl.entries[1].id = 1000;
	CHECK_ERR(setxattr("mapped/a", "system.posix_acl_access", &acl, sizeof(acl), 0), EINVAL);
}

CASE(set_group_id_directories_hand_on_the_stored_group, "mount_setattr(2)")
{
	struct stat status;

	both();
	CHECK_OK(mkdir("files/dir", 0777));
	CHECK_OK(chown("files/dir", 0, 2000));
	CHECK_OK(chmod("files/dir", 02777));
	AS(FIRST + 1000, {
		CHECK_OK(close(open("mapped/dir/a", O_CREAT | O_WRONLY, 02770)));
		CHECK_OK(mkdir("mapped/dir/b", 0755));
	});
	CHECK_OK(stat("files/dir/a", &status));
	CHECK_EQ(status.st_uid, 1000);
	CHECK_EQ(status.st_gid, 2000);
	CHECK_EQ(status.st_mode & 07777, 0770);
	CHECK_OK(stat("mapped/dir/b", &status));
	CHECK_EQ(status.st_gid, FIRST + 2000);
	CHECK_EQ(status.st_mode & 07777, 02755);
}

CASE(the_mapping_is_listed_and_kept_by_copies, "mount_setattr(2)")
{
	int tree;

	both();
	file_of("files/a", 1000, 0644);
	CHECK(strstr(mountinfo("/mapped"), ",idmapped "));
	CHECK_OK(mkdir("copy", 0755));
	CHECK_OK(mount("mapped", "copy", NULL, MS_BIND, NULL));
	CHECK_EQ(owner("copy/a"), FIRST + 1000);
	CHECK(strstr(mountinfo("/copy"), ",idmapped "));
	tree = clone_of("mapped");
	CHECK_ERR(map_mount(tree, user_namespace("0 20000 1000")), EPERM);
	CHECK_OK(mount(NULL, "mapped", NULL, MS_REMOUNT | MS_BIND | MS_NODEV, NULL));
	CHECK_EQ(owner("mapped/a"), FIRST + 1000);
}

struct caps {
	uint32_t magic, sets[4], root;
};

CASE(file_capabilities_name_the_mapped_root, "capabilities(7)")
{
	struct caps caps = { 0x02000001, { 1 << 13, 0, 0, 0 }, 0 };
	struct caps seen;
	char mapping[64];
	int namespace;
	pid_t child;

	both();
	file_of("files/a", 1000, 0755);
	file_of("files/b", FIRST + 5, 0755);
	CHECK_OK(setxattr("files/a", "security.capability", &caps, 20, 0));
	CHECK_EQ(getxattr("files/a", "security.capability", &seen, sizeof(seen)), 20);
	CHECK_EQ(getxattr("mapped/a", "security.capability", &seen, sizeof(seen)), 24);
	CHECK_EQ(seen.magic, 0x03000001);
	CHECK_EQ(seen.sets[0], 1 << 13);
	CHECK_EQ(seen.root, FIRST);
	CHECK_ERR(setxattr("mapped/a", "security.capability", &caps, 20, 0), EINVAL);
	caps.magic = 0x03000001;
	caps.root = FIRST + 3;
	CHECK_OK(setxattr("mapped/a", "security.capability", &caps, 24, 0));
	CHECK_EQ(getxattr("files/a", "security.capability", &seen, sizeof(seen)), 24);
	CHECK_EQ(seen.root, 3);
	CHECK_ERR(setxattr("files/a", "security.capability", &caps, 21, 0), EINVAL);
	/* in a user namespace, without an idmapped mount */
	snprintf(mapping, sizeof(mapping), "0 %d %d", FIRST, COUNT);
	namespace = user_namespace(mapping);
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setns(namespace, CLONE_NEWUSER));
		CHECK_OK(setresgid(0, 0, 0));
		CHECK_OK(setresuid(0, 0, 0));
		caps.magic = 0x02000001;
		CHECK_OK(setxattr("files/b", "security.capability", &caps, 20, 0));
		CHECK_EQ(getxattr("files/b", "security.capability", &seen, sizeof(seen)), 20);
		CHECK_ERR(setxattr("files/a", "security.capability", &caps, 20, 0), EPERM);
		CHECK_ERR(getxattr("files/a", "security.capability", &seen, sizeof(seen)), EOVERFLOW);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(getxattr("files/b", "security.capability", &seen, sizeof(seen)), 24);
	CHECK_EQ(seen.root, FIRST);
}

struct description {
	uint32_t size, options;
	uint64_t mask;
	uint32_t numbers[32];
	uint64_t supported;
	uint32_t uids, uid_text, gids, gid_text;
	uint64_t spare[43];
	char strings[2048];
};

CASE(statmount_tells_the_mapping, "statmount(2)")
{
	struct { uint32_t size, spare; uint64_t id, wanted, namespace; } request = { .size = 24, .wanted = 0x6000 };
	struct description told;
	struct statx status;

	both();
	CHECK_OK(statx(AT_FDCWD, "mapped", 0, 0x4000, &status));
	request.id = *(uint64_t *)((char *)&status + 0x90);
	memset(&told, 0, sizeof(told));
	if (syscall(457, &request, &told, sizeof(told), 0) == -1 || !(told.mask & 0x6000))
		SKIP("not told");
	CHECK_EQ(told.mask, 0x6000);
	CHECK_EQ(told.uids, 1);
	CHECK_EQ(told.gids, 1);
	CHECK_STREQ(told.strings + told.uid_text, "0 10000 5000");
	CHECK_STREQ(told.strings + told.gid_text, "0 10000 5000");
	CHECK_OK(statx(AT_FDCWD, "files", 0, 0x4000, &status));
	request.id = *(uint64_t *)((char *)&status + 0x90);
	memset(&told, 0, sizeof(told));
	CHECK_OK(syscall(457, &request, &told, sizeof(told), 0));
	CHECK_EQ(told.mask, 0);
	CHECK_EQ(told.uids | told.gids | told.uid_text | told.gid_text, 0);
}

CASE(what_cannot_be_mapped_is_refused, "mount_setattr(2)")
{
	struct attributes attributes = { .clear = ATTR_IDMAP };
	int tree, namespace, file;

	PRIVATE_MOUNTS();
	CHECK_OK(mkdir("files", 0755));
	namespace = user_namespace("0 10000 1000");
	tree = clone_of("files");
	CHECK_ERR(map_mount(tree, -1), EINVAL);
	CHECK_ERR(map_mount(tree, 999), EBADF);
	file = CHECK_OK(open("/dev/null", O_RDONLY));
	CHECK_ERR(map_mount(tree, file), EINVAL);
	file = CHECK_OK(open("/proc/self/ns/mnt", O_RDONLY));
	CHECK_ERR(map_mount(tree, file), EINVAL);
	CHECK_ERR(map_mount(tree, user_namespace(NULL)), EINVAL);
	file = CHECK_OK(open("/proc/self/ns/user", O_RDONLY));
	CHECK_ERR(map_mount(tree, file), EPERM);
	CHECK_ERR(syscall(SYS_mount_setattr_, tree, "", EMPTY, &attributes, sizeof(attributes)), EINVAL);
	CHECK_ERR(map_mount(clone_of("/proc"), namespace), EINVAL);
	CHECK_OK(map_mount(tree, namespace));
	CHECK_ERR(map_mount(tree, namespace), EPERM);
	attributes = (struct attributes){ .set = ATTR_IDMAP, .userns_fd = namespace };
	tmpfs_on("files");
	CHECK_ERR(syscall(SYS_mount_setattr_, AT_FDCWD, "files", 0, &attributes, sizeof(attributes)), EINVAL);
}

static int mapped_tree(const char *path, struct attributes *attributes)
{
	return syscall(SYS_open_tree_attr_, AT_FDCWD, path, TREE_CLONE | O_CLOEXEC, attributes, sizeof(*attributes));
}

CASE(open_tree_attr_maps_what_it_copies, "open_tree_attr(2)")
{
	struct attributes attributes = { .set = ATTR_IDMAP | ATTR_NODEV };
	struct stat status;
	int tree;

	both();
	file_of("files/a", 500, 0644);
	attributes.userns_fd = user_namespace("0 20000 1000");
	tree = mapped_tree("files", &attributes);
	if (tree == -1 && errno == ENOSYS)
		SKIP("no open_tree_attr");
	CHECK_OK(tree);
	CHECK_OK(fstatat(tree, "a", &status, 0));
	CHECK_EQ(status.st_uid, 20500);
	/* what nobody has seen yet may get another mapping, or none */
	tree = CHECK_OK(mapped_tree("mapped", &attributes));
	CHECK_OK(fstatat(tree, "a", &status, 0));
	CHECK_EQ(status.st_uid, 20500);
	attributes = (struct attributes){ .clear = ATTR_IDMAP };
	tree = CHECK_OK(mapped_tree("mapped", &attributes));
	CHECK_OK(fstatat(tree, "a", &status, 0));
	CHECK_EQ(status.st_uid, 500);
}
