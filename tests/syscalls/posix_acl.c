/* POSIX access control lists: acl(5), by their attributes (xattr(7)). */
#include "harness.h"
#include "fixtures.h"

#include <grp.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define NONE 0xffffffffU

enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct entry {
	uint16_t tag, permissions;
	uint32_t id;
};

struct acl {
	uint32_t version;
	struct entry entries[16];
};

#define SIZE(count) (4 + 8 * (count))
#define ENTRIES(...) { __VA_ARGS__ }
#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static int set_acl(const char *path, const char *name, const struct entry *entries, size_t count)
{
	struct acl acl = { 2, {{ 0 }} };

	memcpy(acl.entries, entries, count * sizeof(*entries));
	return setxattr(path, name, &acl, SIZE(count), 0);
}

/* The list as text: "u:6 u1000:4 g:4 m:6 o:0"; "" if there is none. */
static const char *acl_of(const char *path, const char *name)
{
	static char text[256];
	struct acl acl;
	ssize_t size = getxattr(path, name, &acl, sizeof(acl));
	size_t used = 0;

	text[0] = '\0';
	if (size == -1) {
		CHECK_EQ(errno, ENODATA);
		return text;
	}
	CHECK_EQ(acl.version, 2);
	for (ssize_t i = 0; i < (size - 4) / 8; i++) {
		struct entry *entry = &acl.entries[i];
		char letter = entry->tag & (USER_OBJ | USER) ? 'u' : entry->tag & (GROUP_OBJ | GROUP) ? 'g' :
			      entry->tag == MASK ? 'm' : 'o';

		used += snprintf(text + used, sizeof(text) - used, "%s%c", i ? " " : "", letter);
		if (entry->tag & (USER | GROUP))
			used += snprintf(text + used, sizeof(text) - used, "%u", entry->id);
		else
			CHECK_EQ(entry->id, NONE);
		used += snprintf(text + used, sizeof(text) - used, ":%o", entry->permissions);
	}
	return text;
}

static int mode_of(const char *path)
{
	struct stat status;

	CHECK_OK(stat(path, &status));
	return status.st_mode & 07777;
}

static const struct entry named[] = {
	{ USER_OBJ, 6, NONE }, { USER, 4, 1000 }, { GROUP_OBJ, 4, NONE }, { MASK, 6, NONE }, { OTHER, 0, NONE },
};

static void need_acls(void)
{
	put_file("probe", "");
	if (set_acl("probe", ACCESS, named, COUNT(named)) == -1 && errno == EOPNOTSUPP)
		SKIP("no ACLs here");
}

/* Whether user `uid` in group `gid` may use the file so. */
static int may(uid_t uid, gid_t gid, gid_t more, const char *path, int mode)
{
	pid_t child = fork_child();
	int status;

	if (child == 0) {
		if (setgroups(1, &more) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
			_exit(100);
		_exit(access(path, mode) == 0 ? 0 : errno == EACCES ? 1 : 101);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

CASE(acl_is_read_back_listed_and_shows_in_the_mode, "acl(5)")
{
	char names[256];

	need_acls();
	put_file("file", "");
	CHECK_STREQ(acl_of("file", ACCESS), "");
	CHECK_OK(set_acl("file", ACCESS, named, COUNT(named)));
	CHECK_STREQ(acl_of("file", ACCESS), "u:6 u1000:4 g:4 m:6 o:0");
	CHECK_EQ(mode_of("file"), 0660);
	CHECK_EQ(listxattr("file", names, sizeof(names)), sizeof(ACCESS));
	CHECK_STREQ(names, ACCESS);
	CHECK_EQ(getxattr("file", ACCESS, NULL, 0), SIZE(5));
	CHECK_ERR(getxattr("file", ACCESS, names, 10), ERANGE);
}

CASE(minimal_acl_is_the_mode, "acl(5)")
{
	const struct entry minimal[] = { { USER_OBJ, 7, NONE }, { GROUP_OBJ, 5, NONE }, { OTHER, 1, NONE } };

	need_acls();
	put_file("file", "");
	CHECK_OK(set_acl("file", ACCESS, named, COUNT(named)));
	CHECK_OK(set_acl("file", ACCESS, minimal, COUNT(minimal)));
	CHECK_STREQ(acl_of("file", ACCESS), "");
	CHECK_EQ(listxattr("file", NULL, 0), 0);
	CHECK_EQ(mode_of("file"), 0751);
}

CASE(chmod_changes_owner_mask_and_other, "acl(5)")
{
	need_acls();
	put_file("file", "");
	CHECK_OK(set_acl("file", ACCESS, named, COUNT(named)));
	CHECK_OK(chmod("file", 0751));
	CHECK_STREQ(acl_of("file", ACCESS), "u:7 u1000:4 g:4 m:5 o:1");
	CHECK_OK(removexattr("file", ACCESS));
	CHECK_EQ(mode_of("file"), 0751);
	CHECK_STREQ(acl_of("file", ACCESS), "");
	CHECK_OK(removexattr("file", ACCESS));
}

CASE(invalid_acls_give_EINVAL, "setxattr(2)")
{
	static const struct {
		size_t count;
		struct entry entries[6];
	} wrong[] = {
		{ 1, { { USER_OBJ, 6, NONE } } },
		{ 2, { { USER_OBJ, 6, NONE }, { GROUP_OBJ, 6, NONE } } },
		{ 3, { { GROUP_OBJ, 6, NONE }, { USER_OBJ, 6, NONE }, { OTHER, 6, NONE } } },
		{ 3, { { USER_OBJ, 8, NONE }, { GROUP_OBJ, 6, NONE }, { OTHER, 6, NONE } } },
		{ 4, { { USER_OBJ, 6, NONE }, { USER, 6, 1 }, { GROUP_OBJ, 6, NONE }, { OTHER, 6, NONE } } },
		{ 4, { { USER_OBJ, 6, NONE }, { GROUP_OBJ, 6, NONE }, { GROUP, 6, 1 }, { OTHER, 6, NONE } } },
		{ 4, { { USER_OBJ, 6, NONE }, { GROUP_OBJ, 6, NONE }, { OTHER, 6, NONE }, { OTHER, 6, NONE } } },
		{ 4, { { USER_OBJ, 6, NONE }, { GROUP_OBJ, 6, NONE }, { 0x40, 6, NONE }, { OTHER, 6, NONE } } },
		{ 5, { { USER_OBJ, 6, NONE }, { USER, 6, NONE }, { GROUP_OBJ, 6, NONE }, { MASK, 6, NONE },
		       { OTHER, 6, NONE } } },
	};
	struct acl acl = { 1, {{ 0 }} };

	need_acls();
	put_file("file", "");
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (set_acl("file", ACCESS, wrong[i].entries, wrong[i].count) != -1 || errno != EINVAL)
			FAIL("list %zu is taken, or %s", i, errno_name(errno));
	CHECK_ERR(setxattr("file", ACCESS, &acl, 4, 0), EOPNOTSUPP);
	acl.version = 2;
	CHECK_ERR(setxattr("file", ACCESS, &acl, 3, 0), EINVAL);
	CHECK_ERR(setxattr("file", ACCESS, &acl, 13, 0), EINVAL);
	CHECK_OK(setxattr("file", ACCESS, &acl, 4, 0));
	CHECK_OK(setxattr("file", ACCESS, "", 0, 0));
	CHECK_STREQ(acl_of("file", ACCESS), "");
}

CASE(mask_may_stand_without_names_and_names_may_repeat, "acl(5)")
{
	const struct entry masked[] = {
		{ USER_OBJ, 6, NONE }, { GROUP_OBJ, 6, NONE }, { MASK, 4, NONE }, { OTHER, 0, NONE },
	}, twice[] = {
		{ USER_OBJ, 6, NONE }, { USER, 4, 5 }, { USER, 6, 5 }, { GROUP_OBJ, 6, NONE }, { MASK, 7, NONE },
		{ OTHER, 0, NONE },
	};

	need_acls();
	put_file("file", "");
	CHECK_OK(set_acl("file", ACCESS, masked, COUNT(masked)));
	CHECK_STREQ(acl_of("file", ACCESS), "u:6 g:6 m:4 o:0");
	CHECK_EQ(mode_of("file"), 0640);
	CHECK_OK(set_acl("file", ACCESS, twice, COUNT(twice)));
	CHECK_STREQ(acl_of("file", ACCESS), "u:6 u5:4 u5:6 g:6 m:7 o:0");
}

CASE(flags_of_setxattr_do_not_matter, "setxattr(2)")
{
	struct acl acl = { 2, {{ 0 }} };

	need_acls();
	put_file("file", "");
	memcpy(acl.entries, named, sizeof(named));
	CHECK_OK(setxattr("file", ACCESS, &acl, SIZE(5), XATTR_REPLACE));
	CHECK_OK(setxattr("file", ACCESS, &acl, SIZE(5), XATTR_CREATE));
}

CASE(default_acl_is_for_directories, "acl(5)")
{
	need_acls();
	put_file("file", "");
	CHECK_ERR(set_acl("file", DEFAULT, named, COUNT(named)), EACCES);
	CHECK_STREQ(acl_of("file", DEFAULT), "");
	CHECK_OK(removexattr("file", DEFAULT));
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(set_acl("dir", DEFAULT, named, COUNT(named)));
	CHECK_STREQ(acl_of("dir", DEFAULT), "u:6 u1000:4 g:4 m:6 o:0");
	CHECK_EQ(mode_of("dir"), 0700);
	CHECK_OK(removexattr("dir", DEFAULT));
	CHECK_STREQ(acl_of("dir", DEFAULT), "");
}

CASE(default_acl_is_inherited_instead_of_the_umask, "acl(5)")
{
	int fd;

	need_acls();
	umask(0077);
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(set_acl("dir", DEFAULT, named, COUNT(named)));
	CHECK_OK(chmod("dir", 0700));
	CHECK_OK(close(CHECK_OK(open("dir/file", O_WRONLY | O_CREAT, 0666))));
	CHECK_STREQ(acl_of("dir/file", ACCESS), "u:6 u1000:4 g:4 m:6 o:0");
	CHECK_STREQ(acl_of("dir/file", DEFAULT), "");
	CHECK_EQ(mode_of("dir/file"), 0660);
	CHECK_OK(close(CHECK_OK(open("dir/private", O_WRONLY | O_CREAT, 0600))));
	CHECK_STREQ(acl_of("dir/private", ACCESS), "u:6 u1000:4 g:4 m:0 o:0");
	CHECK_EQ(mode_of("dir/private"), 0600);
	CHECK_OK(mkdir("dir/sub", 0777));
	CHECK_STREQ(acl_of("dir/sub", ACCESS), "u:6 u1000:4 g:4 m:6 o:0");
	CHECK_STREQ(acl_of("dir/sub", DEFAULT), "u:6 u1000:4 g:4 m:6 o:0");
	CHECK_OK(mkfifo("dir/fifo", 0640));
	CHECK_STREQ(acl_of("dir/fifo", ACCESS), "u:6 u1000:4 g:4 m:4 o:0");
	CHECK_OK(symlink("file", "dir/link"));
	CHECK_EQ(lgetxattr("dir/link", ACCESS, NULL, 0), -1);
	fd = open("dir", O_TMPFILE | O_RDWR, 0640);
	if (fd != -1)
		CHECK_EQ(fgetxattr(fd, ACCESS, NULL, 0), SIZE(5));
}

CASE(minimal_default_acl_gives_only_a_mode, "acl(5)")
{
	const struct entry minimal[] = { { USER_OBJ, 7, NONE }, { GROUP_OBJ, 5, NONE }, { OTHER, 1, NONE } };

	need_acls();
	umask(0077);
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(set_acl("dir", DEFAULT, minimal, COUNT(minimal)));
	CHECK_OK(close(CHECK_OK(open("dir/file", O_WRONLY | O_CREAT, 0666))));
	CHECK_EQ(mode_of("dir/file"), 0640);
	CHECK_STREQ(acl_of("dir/file", ACCESS), "");
	CHECK_OK(mkdir("dir/sub", 0777));
	CHECK_EQ(mode_of("dir/sub"), 0751);
	CHECK_STREQ(acl_of("dir/sub", DEFAULT), "u:7 g:5 o:1");
}

CASE(symbolic_links_have_none, "xattr(7)")
{
	struct acl acl = { 2, {{ 0 }} };

	need_acls();
	memcpy(acl.entries, named, sizeof(named));
	CHECK_OK(symlink("nowhere", "link"));
	CHECK_ERR(lsetxattr("link", ACCESS, &acl, SIZE(5), 0), EOPNOTSUPP);
	CHECK_ERR(lgetxattr("link", ACCESS, NULL, 0), EOPNOTSUPP);
	CHECK_ERR(lremovexattr("link", ACCESS), EOPNOTSUPP);
}

CASE(named_user_is_granted_what_its_entry_and_the_mask_have, "acl(5)")
{
	const struct entry list[] = {
		{ USER_OBJ, 6, NONE }, { USER, 7, 1000 }, { USER, 0, 1001 }, { GROUP_OBJ, 4, NONE },
		{ MASK, 5, NONE }, { OTHER, 4, NONE },
	};

	NEEDS_ROOT();
	need_acls();
	CHECK_OK(chmod(".", 0755));
	put_file("file", "");
	CHECK_OK(set_acl("file", ACCESS, list, COUNT(list)));
	CHECK(may(1000, 1000, 1000, "file", R_OK | X_OK));
	CHECK(!may(1000, 1000, 1000, "file", W_OK));
	CHECK(!may(1001, 1001, 1001, "file", R_OK));
	CHECK(!may(1001, 0, 0, "file", R_OK));
	CHECK(may(1002, 1002, 1002, "file", R_OK));
	CHECK(!may(1002, 1002, 1002, "file", X_OK));
}

CASE(groups_are_tried_one_after_the_other_but_other_is_not_reached, "acl(5)")
{
	const struct entry list[] = {
		{ USER_OBJ, 6, NONE }, { GROUP_OBJ, 0, NONE }, { GROUP, 4, 2000 }, { GROUP, 2, 2001 },
		{ MASK, 7, NONE }, { OTHER, 7, NONE },
	};

	NEEDS_ROOT();
	need_acls();
	CHECK_OK(chmod(".", 0755));
	put_file("file", "");
	CHECK_OK(set_acl("file", ACCESS, list, COUNT(list)));
	CHECK(!may(1000, 0, 0, "file", R_OK));
	CHECK(may(1000, 2000, 0, "file", R_OK));
	CHECK(!may(1000, 2000, 0, "file", W_OK));
	CHECK(may(1000, 2000, 2001, "file", W_OK));
	CHECK(!may(1000, 2000, 2001, "file", R_OK | W_OK));
	CHECK(may(1000, 3000, 3000, "file", R_OK | W_OK | X_OK));
}

CASE(owner_is_not_bound_by_the_mask, "acl(5)")
{
	NEEDS_ROOT();
	need_acls();
	CHECK_OK(chmod(".", 0755));
	put_file("file", "");
	CHECK_OK(set_acl("file", ACCESS, named, COUNT(named)));
	CHECK_OK(chmod("file", 0600));
	CHECK_OK(chown("file", 1001, 1001));
	CHECK(may(1001, 1001, 1001, "file", R_OK | W_OK));
	CHECK(!may(1000, 1000, 1000, "file", R_OK));
}

CASE(directory_search_is_denied_to_a_named_user, "acl(5)")
{
	const struct entry list[] = {
		{ USER_OBJ, 7, NONE }, { USER, 6, 1000 }, { GROUP_OBJ, 5, NONE }, { MASK, 7, NONE },
		{ OTHER, 5, NONE },
	};

	NEEDS_ROOT();
	need_acls();
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(mkdir("dir", 0755));
	put_file("dir/file", "");
	CHECK(may(1000, 1000, 1000, "dir/file", R_OK));
	CHECK_OK(set_acl("dir", ACCESS, list, COUNT(list)));
	CHECK_EQ(mode_of("dir"), 0775);
	CHECK(!may(1000, 1000, 1000, "dir/file", R_OK));
	CHECK(may(1000, 1000, 1000, "dir", W_OK));
	CHECK(may(1001, 1001, 1001, "dir/file", R_OK));
}

CASE(others_may_read_but_not_change_an_acl, "setxattr(2)")
{
	pid_t child;

	NEEDS_ROOT();
	need_acls();
	CHECK_OK(chmod(".", 0755));
	put_file("file", "");
	CHECK_OK(chmod("file", 0666));
	CHECK_OK(set_acl("file", ACCESS, named, COUNT(named)));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setresuid(1000, 1000, 1000));
		CHECK_STREQ(acl_of("file", ACCESS), "u:6 u1000:4 g:4 m:6 o:0");
		CHECK_ERR(set_acl("file", ACCESS, named, COUNT(named)), EPERM);
		CHECK_ERR(removexattr("file", ACCESS), EPERM);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}
