/* Directories: mkdir, rmdir, chdir, getcwd, getdents64. */
#include "harness.h"
#include "fixtures.h"

#include <dirent.h>

struct entry {
	ino64_t inode;
	off64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

static char entries[65536] __attribute__((aligned(8)));

/* The entry of this name in what getdents64 returned. */
static struct entry *find(long length, const char *name)
{
	for (long at = 0; at < length; at += ((struct entry *)(entries + at))->length)
		if (strcmp(((struct entry *)(entries + at))->name, name) == 0)
			return (struct entry *)(entries + at);
	return NULL;
}

CASE(mkdir_makes_an_empty_directory, "mkdir(2)")
{
	struct stat status;

	umask(022);
	CHECK_OK(mkdir("below", 0777));
	CHECK_OK(stat("below", &status));
	CHECK_EQ(status.st_mode, S_IFDIR | 0755);
	CHECK_EQ(status.st_nlink, 2);
	CHECK_OK(rmdir("below"));
	CHECK_ERR(stat("below", &status), ENOENT);
}

CASE(mkdir_errors, "mkdir(2)")
{
	put_file("file", "");
	CHECK_ERR(mkdir("file", 0700), EEXIST);
	CHECK_ERR(mkdir(".", 0700), EEXIST);
	CHECK_ERR(mkdir("/", 0700), EEXIST);
	CHECK_ERR(mkdir("missing/below", 0700), ENOENT);
	CHECK_ERR(mkdir("file/below", 0700), ENOTDIR);
	CHECK_ERR(mkdir("", 0700), ENOENT);
	CHECK_ERR(mkdirat(999, "below", 0700), EBADF);
}

CASE(rmdir_errors, "rmdir(2)")
{
	CHECK_OK(mkdir("full", 0700));
	put_file("full/file", "");
	CHECK_ERR(rmdir("full"), ENOTEMPTY);
	CHECK_ERR(rmdir("full/file"), ENOTDIR);
	CHECK_ERR(rmdir("missing"), ENOENT);
	CHECK_ERR(rmdir("full/."), EINVAL);
	CHECK_ERR(rmdir("full/.."), ENOTEMPTY);
	CHECK_ERR(rmdir("/"), EBUSY);
}

CASE(removed_working_directory_is_empty_and_closed_to_new_files, "rmdir(2)")
{
	char path[4096];

	CHECK_OK(mkdir("below", 0700));
	CHECK_OK(chdir("below"));
	CHECK_OK(rmdir("../below"));
	CHECK_ERR(open("file", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK_ERR(mkdir("below", 0700), ENOENT);
	CHECK_ERR(syscall(SYS_getcwd, path, sizeof(path)), ENOENT);
	CHECK_OK(open(".", O_RDONLY));
	CHECK_OK(chdir(".."));
}

CASE(getdents_lists_dot_dotdot_and_the_names, "getdents64(2)")
{
	struct entry *entry;
	struct stat status;
	long length;
	int fd;

	put_file("file", "");
	CHECK_OK(mkdir("below", 0700));
	CHECK_OK(symlink("file", "link"));
	CHECK_OK(mkfifo("fifo", 0600));
	fd = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	length = CHECK_OK(syscall(SYS_getdents64, fd, entries, sizeof(entries)));
	CHECK(find(length, ".") != NULL);
	CHECK(find(length, "..") != NULL);
	CHECK((entry = find(length, "file")) != NULL);
	CHECK_EQ(entry->type, DT_REG);
	CHECK_OK(stat("file", &status));
	CHECK_EQ(entry->inode, status.st_ino);
	CHECK((entry = find(length, "below")) != NULL);
	CHECK_EQ(entry->type, DT_DIR);
	CHECK((entry = find(length, "link")) != NULL);
	CHECK_EQ(entry->type, DT_LNK);
	CHECK((entry = find(length, "fifo")) != NULL);
	CHECK_EQ(entry->type, DT_FIFO);
	CHECK_EQ(syscall(SYS_getdents64, fd, entries, sizeof(entries)), 0);
}

CASE(getdents_record_lengths_are_multiples_of_8, "getdents64(2)")
{
	int fd = CHECK_OK(open("/dev", O_RDONLY | O_DIRECTORY));
	long length = CHECK_OK(syscall(SYS_getdents64, fd, entries, sizeof(entries)));

	CHECK(length > 0);
	for (long at = 0; at < length;) {
		struct entry *entry = (struct entry *)(entries + at);

		CHECK_EQ(entry->length % 8, 0);
		CHECK(entry->length >= offsetof(struct entry, name) + strlen(entry->name) + 1);
		at += entry->length;
		CHECK(at <= length);
	}
}

CASE(getdents_with_small_buffers_lists_everything_once, "getdents64(2)")
{
	enum { FILES = 300 };
	static bool seen[FILES];
	char name[32];
	long length;
	int fd, total = 0, others = 0;

	CHECK_OK(mkdir("many", 0700));
	CHECK_OK(chdir("many"));
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "file-%d", i);
		put_file(name, "");
	}
	fd = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	while ((length = CHECK_OK(syscall(SYS_getdents64, fd, entries, 200))) > 0) {
		CHECK(length <= 200);
		for (long at = 0; at < length; at += ((struct entry *)(entries + at))->length) {
			const char *found = ((struct entry *)(entries + at))->name;
			int number;

			if (sscanf(found, "file-%d", &number) != 1) {
				others++;
				continue;
			}
			CHECK(number >= 0 && number < FILES && !seen[number]);
			seen[number] = true;
			total++;
		}
	}
	CHECK_EQ(total, FILES);
	CHECK_EQ(others, 2);
}

CASE(getdents_errors, "getdents64(2)")
{
	int fd = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));

	CHECK_ERR(syscall(SYS_getdents64, make_file("file", ""), entries, sizeof(entries)), ENOTDIR);
	CHECK_ERR(syscall(SYS_getdents64, 999, entries, sizeof(entries)), EBADF);
	CHECK_ERR(syscall(SYS_getdents64, fd, entries, 8), EINVAL);
	CHECK_ERR(syscall(SYS_getdents64, fd, unmapped(), 4096), EFAULT);
}

CASE(lseek_to_0_rewinds_a_directory, "lseek(2)")
{
	int fd = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	long length = CHECK_OK(syscall(SYS_getdents64, fd, entries, sizeof(entries)));

	CHECK_EQ(syscall(SYS_getdents64, fd, entries, sizeof(entries)), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(syscall(SYS_getdents64, fd, entries, sizeof(entries)), length);
}

CASE(d_off_resumes_a_listing_where_it_was, "getdents64(2)")
{
	struct entry *first;
	char second[256];
	int fd;

	put_file("a", "");
	put_file("b", "");
	fd = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	CHECK_OK(syscall(SYS_getdents64, fd, entries, sizeof(entries)));
	first = (struct entry *)entries;
	strcpy(second, ((struct entry *)(entries + first->length))->name);
	CHECK_EQ(lseek(fd, first->offset, SEEK_SET), first->offset);
	CHECK_OK(syscall(SYS_getdents64, fd, entries, sizeof(entries)));
	CHECK_STREQ(((struct entry *)entries)->name, second);
}

CASE(chdir_and_getcwd_agree, "getcwd(2)")
{
	char start[4096], here[4096], wanted[8192];

	CHECK(getcwd(start, sizeof(start)));
	CHECK_OK(mkdir("below", 0700));
	CHECK_OK(symlink("below", "link"));
	CHECK_OK(chdir("link"));
	CHECK(getcwd(here, sizeof(here)));
	snprintf(wanted, sizeof(wanted), "%s/below", start);
	CHECK_STREQ(here, wanted);
	CHECK_EQ(syscall(SYS_getcwd, here, sizeof(here)), strlen(wanted) + 1);
	CHECK_OK(chdir("/"));
	CHECK_EQ(syscall(SYS_getcwd, here, sizeof(here)), 2);
	CHECK_STREQ(here, "/");
}

CASE(chdir_fchdir_and_getcwd_errors, "chdir(2)")
{
	char here[4096];

	put_file("file", "");
	CHECK_ERR(chdir("file"), ENOTDIR);
	CHECK_ERR(chdir("missing"), ENOENT);
	CHECK_ERR(chdir(""), ENOENT);
	CHECK_ERR(fchdir(999), EBADF);
	CHECK_ERR(fchdir(CHECK_OK(open("file", O_RDONLY))), ENOTDIR);
	CHECK_ERR(syscall(SYS_getcwd, here, 2), ERANGE);
	CHECK_ERR(syscall(SYS_getcwd, unmapped(), 4096), EFAULT);
}

CASE(fchdir_goes_to_an_open_directory, "fchdir(2)")
{
	int here = CHECK_OK(open(".", O_RDONLY));

	put_file("file", "");
	CHECK_OK(chdir("/"));
	CHECK_OK(fchdir(here));
	CHECK_OK(access("file", F_OK));
}

CASE(getcwd_follows_a_rename_of_the_directory, "getcwd(2)")
{
	char here[4096];

	CHECK_OK(mkdir("old", 0700));
	CHECK_OK(chdir("old"));
	CHECK_OK(rename("../old", "../new"));
	CHECK(getcwd(here, sizeof(here)));
	CHECK_STREQ(strrchr(here, '/'), "/new");
}

CASE(chroot_needs_privilege_and_confines, "chroot(2)")
{
	CHECK_OK(mkdir("root", 0755));
	put_file("root/inside", "");
	if (geteuid() != 0) {
		CHECK_ERR(chroot("root"), EPERM);
		return;
	}
	CHECK_OK(chroot("root"));
	CHECK_OK(chdir("/"));
	CHECK_OK(access("/inside", F_OK));
	CHECK_OK(access("/../../inside", F_OK));
	CHECK_ERR(access("/proc", F_OK), ENOENT);
}
