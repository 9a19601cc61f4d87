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

/* A listing under way: how often each name has been told since the last reset. */
static struct {
	int fd, others;
	int told[300];
} listing;

enum { NAMES = 300, FIRST = 400 }; /* FIRST: bytes asked for at the start, less than all */

/* The number of the file that has this name, -1: it's another one. */
static int number_of(const char *name)
{
	int number;

	return sscanf(name, "file-%d", &number) == 1 ? number : -1;
}

static void count_entries(long length)
{
	for (long at = 0; at < length; at += ((struct entry *)(entries + at))->length) {
		int number = number_of(((struct entry *)(entries + at))->name);

		if (number >= 0)
			listing.told[number]++;
		else
			listing.others++;
	}
}

static void list_rest(size_t room)
{
	long length;

	while ((length = CHECK_OK(syscall(SYS_getdents64, listing.fd, entries, room))) > 0)
		count_entries(length);
}

static void reset_listing(void)
{
	memset(listing.told, 0, sizeof(listing.told));
	listing.others = 0;
}

static char *numbered(int number)
{
	static char names[2][32];
	static int turn;

	turn ^= 1;
	snprintf(names[turn], sizeof(names[turn]), "file-%d", number);
	return names[turn];
}

/* Make a directory of NAMES files and list the first of them. */
static void start_listing(const char *parent)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/listing-%d", parent, getpid());
	CHECK_OK(mkdir(path, 0700));
	CHECK_OK(chdir(path));
	for (int i = 0; i < NAMES; i++)
		put_file(numbered(i), "");
	reset_listing();
	listing.fd = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	count_entries(CHECK_OK(syscall(SYS_getdents64, listing.fd, entries, FIRST)));
}

static void end_listing(void)
{
	char path[64];

	for (int i = 0; i < NAMES; i++)
		remove(numbered(i));
	remove("moved");
	CHECK_OK(chdir(".."));
	snprintf(path, sizeof(path), "listing-%d", getpid());
	CHECK_OK(rmdir(path));
}

/* Names that a listing under way has not told yet go; the others are told.  One may be told all the same, as ext4
 * does with the name that was read already and had no room. */
static void remove_while_listing(const char *parent, size_t room)
{
	int stale = 1;
	bool gone[NAMES] = {false};

	start_listing(parent);
	for (int i = 0; i < NAMES; i++) {
		if (listing.told[i] || i % 5 == 0)
			continue;
		gone[i] = true;
		if (i % 5 == 1)
			CHECK_OK(rename(numbered(i), "moved"));
		else
			CHECK_OK(unlink(numbered(i)));
	}
	list_rest(room);
	for (int i = 0; i < NAMES; i++) {
		if (gone[i] && listing.told[i])
			stale--;
		if (!gone[i])
			CHECK(listing.told[i] > 0);
	}
	CHECK(stale >= 0);
	CHECK_EQ(lseek(listing.fd, 0, SEEK_SET), 0);
	reset_listing();
	list_rest(room);
	for (int i = 0; i < NAMES; i++)
		CHECK_EQ(listing.told[i], !gone[i]);
	CHECK_EQ(listing.others, 3);
	CHECK_OK(unlink("moved"));
	end_listing();
}

CASE(names_removed_during_a_listing_are_not_listed, "readdir(3)")
{
	remove_while_listing(".", sizeof(entries));
}

CASE(names_removed_between_small_reads_are_not_listed, "readdir(3)")
{
	remove_while_listing(".", 48);
}

CASE(names_removed_from_the_root_file_system_are_not_listed, "readdir(3)")
{
	if (access("/var/tmp", W_OK) < 0)
		SKIP("no /var/tmp");
	remove_while_listing("/var/tmp", 300);
}

CASE(listing_ends_when_all_that_is_left_of_it_is_removed, "getdents64(2)")
{
	start_listing(".");
	for (int i = 0; i < NAMES; i++)
		CHECK_OK(unlink(numbered(i)));
	reset_listing();
	CHECK_OK(syscall(SYS_getdents64, listing.fd, entries, sizeof(entries)));
	CHECK_EQ(syscall(SYS_getdents64, listing.fd, entries, sizeof(entries)), 0);
	end_listing();
}

CASE(names_that_stay_are_listed_once_whatever_is_renamed_and_added, "readdir(3)")
{
	char other[32];

	start_listing(".");
	for (int i = 0; i < NAMES; i += 3) {
		snprintf(other, sizeof(other), "other-%d", i);
		CHECK_OK(rename(numbered(i), other));
		snprintf(other, sizeof(other), "new-%d", i);
		put_file(other, "");
	}
	list_rest(200);
	for (int i = 0; i < NAMES; i++)
		if (i % 3)
			CHECK_EQ(listing.told[i], 1);
	CHECK_EQ(lseek(listing.fd, 0, SEEK_SET), 0);
	reset_listing();
	list_rest(200);
	CHECK_EQ(listing.others, 2 + 2 * NAMES / 3);
	for (int i = 0; i < NAMES; i++)
		CHECK_EQ(listing.told[i], i % 3 != 0);
}

CASE(name_made_anew_during_a_listing_is_told_as_it_is, "readdir(3)")
{
	struct stat status;
	int stale = 1;
	long length;

	start_listing(".");
	for (int i = 0; i < NAMES; i++) {
		if (listing.told[i])
			continue;
		CHECK_OK(unlink(numbered(i)));
		CHECK_OK(mkdir(numbered(i), 0700));
	}
	while ((length = CHECK_OK(syscall(SYS_getdents64, listing.fd, entries, 4096))) > 0) {
		for (long at = 0; at < length; at += ((struct entry *)(entries + at))->length) {
			struct entry *entry = (struct entry *)(entries + at);
			int number = number_of(entry->name);

			if (number < 0 || listing.told[number] || (entry->type == DT_REG && stale-- > 0))
				continue;
			CHECK_OK(stat(entry->name, &status));
			CHECK_EQ(entry->type, DT_DIR);
			CHECK_EQ(entry->inode, status.st_ino);
		}
	}
}

CASE(places_in_a_listing_outlast_removals, "telldir(3)")
{
	struct entry *last = NULL;
	bool before[NAMES];
	off64_t place;
	long length;

	start_listing(".");
	length = CHECK_OK(syscall(SYS_getdents64, listing.fd, entries, 4000));
	count_entries(length);
	for (long at = 0; at < length; at += last->length)
		last = (struct entry *)(entries + at);
	place = last->offset;
	for (int i = 0; i < NAMES; i++)
		before[i] = listing.told[i];
	reset_listing();
	list_rest(500);
	for (int i = 0; i < NAMES; i += 2)
		CHECK_OK(unlink(numbered(i)));
	CHECK_EQ(lseek(listing.fd, place, SEEK_SET), place);
	reset_listing();
	list_rest(500);
	for (int i = 0; i < NAMES; i++)
		CHECK_EQ(listing.told[i], !before[i] && i % 2);
}

CASE(old_getdents_does_not_list_what_was_removed, "getdents(2)")
{
	int stale = 0;
	long length;

	start_listing(".");
	for (int i = 0; i < NAMES; i++)
		if (!listing.told[i])
			CHECK_OK(unlink(numbered(i)));
	while ((length = CHECK_OK(syscall(SYS_getdents, listing.fd, entries, 200))) > 0) {
		for (long at = 0; at < length; at += *(unsigned short *)(entries + at + 16)) {
			int number = number_of(entries + at + 18);

			stale += number >= 0 && !listing.told[number];
		}
	}
	CHECK(stale <= 1);
}

CASE(descriptors_closed_during_a_listing_are_not_listed, "proc_pid_fd(5)")
{
	enum { FIRST_FD = 300, FDS = 100 };
	int fd = CHECK_OK(open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
	long length;

	for (int i = FIRST_FD; i < FIRST_FD + FDS; i++)
		CHECK_OK(dup2(fd, i));
	CHECK_OK(syscall(SYS_getdents64, fd, entries, 200));
	for (int i = FIRST_FD + 20; i < FIRST_FD + FDS; i++)
		CHECK_OK(close(i));
	length = CHECK_OK(syscall(SYS_getdents64, fd, entries, sizeof(entries)));
	CHECK(find(length, "319") != NULL);
	CHECK(find(length, "320") == NULL);
	CHECK(find(length, "399") == NULL);
}

CASE(listings_of_a_process_that_is_gone_fail, "proc(5)")
{
	static const char *const names[] = {"", "task", "fd", "fdinfo", "map_files"};
	enum { DIRECTORIES = sizeof(names) / sizeof(names[0]) };
	int fds[DIRECTORIES];
	char path[64];
	pid_t child = CHECK_OK(fork());

	if (child == 0) {
		pause();
		_exit(0);
	}
	for (int i = 0; i < DIRECTORIES; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", child, names[i]);
		fds[i] = CHECK_OK(open(path, O_RDONLY | O_DIRECTORY));
		CHECK_OK(syscall(SYS_getdents64, fds[i], entries, 48));
	}
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(waitpid(child, NULL, 0), child);
	for (int i = 0; i < DIRECTORIES; i++) {
		CHECK_ERR(syscall(SYS_getdents64, fds[i], entries, 200), ENOENT);
		CHECK_EQ(lseek(fds[i], 0, SEEK_SET), 0);
		CHECK_ERR(syscall(SYS_getdents64, fds[i], entries, 200), ENOENT);
	}
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
