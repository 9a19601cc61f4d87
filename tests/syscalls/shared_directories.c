/* What /proc/sys/fs/protected_* forbids in sticky directories that others may write to. */
#include "harness.h"
#include "fixtures.h"

#include <sys/resource.h>

#define OTHER 1000
#define NOBODY 65534

/* The errno of each attempt (0: it worked) that a child made as nobody, in a sticky directory of root's. */
struct attempts {
	int others_link, roots_link, own_link, others_file, others_file_plainly, others_fifo, hard_link;
};

static int error_of(int result)
{
	return result == -1 ? errno : 0;
}

static void put_number(const char *name, int number)
{
	char path[64], text[16];
	int fd;

	sprintf(path, "/proc/sys/fs/%s", name);
	fd = open(path, O_WRONLY);
	if (fd == -1)
		SKIP("%s can't be changed", path);
	CHECK_OK(write(fd, text, sprintf(text, "%d\n", number)));
	CHECK_OK(close(fd));
}

static int get_number(const char *name)
{
	char path[64];

	sprintf(path, "/proc/sys/fs/%s", name);
	return atoi(text_of(path));
}

/* All attempts, with the settings at `level` (of those that go so far) while they are made. */
static struct attempts try_all(mode_t mode, int level, int user)
{
	static const char *const names[] = {
		"protected_symlinks", "protected_hardlinks", "protected_regular", "protected_fifos",
	};
	struct attempts *made = map_pages(1, MAP_SHARED);
	int before[4];
	pid_t child;

	NEEDS_ROOT();
	umask(0);
	CHECK_OK(mkdir("dir", 0755));
	CHECK_OK(chmod("dir", mode));
	CHECK_OK(chown("dir", 0, user)); /* so that a group that may write is the child's */
	CHECK_OK(chdir("dir"));
	put_file("file", "");
	CHECK_OK(chmod("file", 0666));
	put_file("secret", "");
	CHECK_OK(chmod("secret", 0600));
	CHECK_OK(symlink("file", "others"));
	CHECK_OK(lchown("others", OTHER, OTHER));
	CHECK_OK(symlink("file", "roots"));
	CHECK_OK(symlink("file", "own"));
	CHECK_OK(lchown("own", user, user));
	put_file("theirs", "");
	CHECK_OK(chmod("theirs", 0666));
	CHECK_OK(chown("theirs", OTHER, OTHER));
	CHECK_OK(mkfifo("fifo", 0666));
	CHECK_OK(chown("fifo", OTHER, OTHER));
	for (int i = 0; i < 4; i++)
		before[i] = get_number(names[i]);
	for (int i = 0; i < 4; i++)
		put_number(names[i], i < 2 && level > 1 ? 1 : level);
	child = fork();
	if (child == 0) {
		if (setgid(user) || setuid(user))
			_exit(1);
		made->others_link = error_of(open("others", O_RDONLY));
		made->roots_link = error_of(open("roots", O_RDONLY));
		made->own_link = error_of(open("own", O_RDONLY));
		made->others_file = error_of(open("theirs", O_RDWR | O_CREAT, 0600));
		made->others_file_plainly = error_of(open("theirs", O_RDWR));
		made->others_fifo = error_of(open("fifo", O_RDWR | O_CREAT, 0600));
		made->hard_link = error_of(link("secret", "second"));
		_exit(0);
	}
	waitpid(child, NULL, 0);
	for (int i = 0; i < 4; i++)
		put_number(names[i], before[i]);
	return *made;
}

CASE(without_protection_only_permissions_count, "proc_sys_fs(5)")
{
	struct attempts made = try_all(01777, 0, NOBODY);

	CHECK_EQ(made.others_link, 0);
	CHECK_EQ(made.others_file, 0);
	CHECK_EQ(made.others_fifo, 0);
	CHECK_EQ(made.hard_link, 0);
}

CASE(what_is_others_in_a_shared_directory_is_protected, "proc_sys_fs(5)")
{
	struct attempts made = try_all(01777, 1, NOBODY);

	CHECK_EQ(made.others_link, EACCES);
	CHECK_EQ(made.roots_link, 0); /* the directory's owner's */
	CHECK_EQ(made.own_link, 0);
	CHECK_EQ(made.others_file, EACCES);
	CHECK_EQ(made.others_file_plainly, 0);
	CHECK_EQ(made.others_fifo, EACCES);
	CHECK_EQ(made.hard_link, EPERM);
}

CASE(directories_of_a_group_are_protected_on_the_second_level, "proc_sys_fs(5)")
{
	struct attempts made = try_all(01775, 1, NOBODY);

	CHECK_EQ(made.others_link, 0);
	CHECK_EQ(made.others_file, 0);
	CHECK_EQ(made.others_fifo, 0);
	CHECK_OK(chdir(".."));
	CHECK_OK(rename("dir", "old"));
	made = try_all(01775, 2, NOBODY);
	CHECK_EQ(made.others_link, 0);
	CHECK_EQ(made.others_file, EACCES);
	CHECK_EQ(made.others_fifo, EACCES);
}

CASE(root_is_no_exception, "proc_sys_fs(5)")
{
	struct attempts made = try_all(01777, 1, 0);

	CHECK_EQ(made.others_link, EACCES);
	CHECK_EQ(made.others_file, EACCES);
	CHECK_EQ(made.others_fifo, EACCES);
	CHECK_EQ(made.hard_link, 0);
}

CASE(fallocate_in_memory_heeds_the_size_limit_beyond_the_end, "fallocate(2)")
{
	struct rlimit limit = { PAGE, RLIM_INFINITY };
	int fd = CHECK_OK(memfd_create("limited", 0));

	signal(SIGXFSZ, SIG_IGN);
	CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
	CHECK_ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, PAGE + 1), EFBIG);
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, PAGE));
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 2 * PAGE));
}
