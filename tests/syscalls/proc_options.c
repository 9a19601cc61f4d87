/* What proc's mount options hide from whom. */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static char target[32]; /* the directory of a process of root's, the case's own */

/* Mounts a proc with these options on "proc", and makes a child that has no privileges but this group: 0 there,
 * else its pid. */
static pid_t visitor(const char *options, gid_t group)
{
	pid_t child;

	PRIVATE_MOUNTS();
	directory("proc");
	CHECK_OK(mount("proc", "proc", "proc", 0, options));
	snprintf(target, sizeof(target), "proc/%d", getpid());
	child = CHECK_OK(fork());
	if (child == 0) {
		CHECK_OK(setgroups(1, &group));
		CHECK_OK(setresgid(65534, 65534, 65534));
		CHECK_OK(setresuid(65534, 65534, 65534));
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	}
	return child;
}

static bool listed(const char *path, const char *name)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	bool found = false;

	CHECK(directory != NULL);
	while ((entry = readdir(directory)))
		found |= strcmp(entry->d_name, name) == 0;
	closedir(directory);
	return found;
}

static const char *inside(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", target, name);
	return path;
}

CASE(hidepid_0_hides_nothing, "proc(5), Mount options")
{
	pid_t child = visitor("hidepid=0", 65534);
	struct stat found;

	if (child == 0) {
		CHECK(listed("proc", target + 5));
		CHECK_OK(stat(inside("status"), &found));
		CHECK(listed(target, "status"));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(hidepid_1_shows_only_that_a_process_is_there, "proc(5), Mount options")
{
	pid_t child = visitor("hidepid=1", 65534);
	struct stat found;

	if (child == 0) {
		CHECK(listed("proc", target + 5));
		CHECK_OK(stat(target, &found));
		CHECK_ERR(open(target, O_RDONLY), EPERM);
		CHECK_ERR(stat(inside("status"), &found), EPERM);
		CHECK_ERR(open(inside("cmdline"), O_RDONLY), EPERM);
		CHECK_ERR(chdir(target), EPERM);
		CHECK_ERR(access(target, X_OK), EPERM);
		CHECK_OK(stat("proc/self/status", &found));
		CHECK_OK(stat("proc/meminfo", &found));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(stat(inside("status"), &found));
}

CASE(hidepid_2_shows_not_even_that, "proc(5), Mount options")
{
	pid_t child = visitor("hidepid=2", 65534);
	struct stat found;
	char self[32];

	if (child == 0) {
		CHECK(!listed("proc", target + 5));
		snprintf(self, sizeof(self), "%d", getpid());
		CHECK(listed("proc", self));
		CHECK(listed("proc", "meminfo"));
		CHECK_ERR(stat(target, &found), ENOENT);
		CHECK_ERR(open(target, O_RDONLY), ENOENT);
		CHECK_ERR(open(inside("cmdline"), O_RDONLY), ENOENT);
		CHECK_ERR(chdir(target), ENOENT);
		CHECK_OK(stat("proc/self/status", &found));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK(listed("proc", target + 5));
	CHECK_OK(stat(inside("status"), &found));
	CHECK(strstr(mountinfo("/proc"), "hidepid=invisible") != NULL);
}

CASE(the_group_of_gid_sees_what_hidepid_2_hides, "proc(5), Mount options")
{
	pid_t child = visitor("hidepid=invisible,gid=4711", 4711);
	struct stat found;

	if (child == 0) {
		CHECK(listed("proc", target + 5));
		CHECK_OK(stat(inside("status"), &found));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK(strstr(mountinfo("/proc"), "gid=4711,hidepid=invisible") != NULL);
}

CASE(hidepid_4_shows_what_may_be_traced_whatever_the_group, "proc(5), Mount options")
{
	pid_t child = visitor("hidepid=ptraceable,gid=4711", 4711);
	struct stat found;

	if (child == 0) {
		CHECK(!listed("proc", target + 5));
		CHECK_ERR(stat(target, &found), ENOENT);
		CHECK_ERR(open(target, O_PATH), ENOENT);
		CHECK_OK(stat("proc/self/status", &found));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(a_directory_left_open_is_closed_to_whom_it_is_hidden_from, "proc(5), Mount options")
{
	pid_t child = visitor("hidepid=0", 65534);
	int fd;

	if (child == 0) {
		fd = CHECK_OK(open(target, O_RDONLY | O_DIRECTORY));
		while (access("proc/1", X_OK) == 0)
			usleep(1000);
		CHECK_ERR(openat(fd, "status", O_RDONLY), EPERM);
		_exit(0);
	}
	usleep(100000);
	CHECK_OK(mount("proc", "proc", "proc", MS_REMOUNT, "hidepid=1"));
	CHECK_EXITS(child, 0);
}

CASE(subset_pid_shows_processes_alone, "proc(5), Mount options")
{
	struct stat found;
	char self[32];

	PRIVATE_MOUNTS();
	directory("proc");
	CHECK_OK(mount("proc", "proc", "proc", 0, "subset=pid"));
	snprintf(self, sizeof(self), "%d", getpid());
	CHECK(listed("proc", self));
	CHECK(listed("proc", "self"));
	CHECK(listed("proc", "thread-self"));
	CHECK(!listed("proc", "meminfo"));
	CHECK(!listed("proc", "sys"));
	CHECK_ERR(stat("proc/meminfo", &found), ENOENT);
	CHECK_ERR(stat("proc/sys/kernel", &found), ENOENT);
	CHECK_ERR(stat("proc/mounts", &found), ENOENT);
	CHECK_OK(stat("proc/self/mounts", &found));
	CHECK(strstr(mountinfo("/proc"), "subset=pid") != NULL);
}

CASE(options_are_each_mounts_own, "proc(5), Mount options")
{
	struct stat found;

	PRIVATE_MOUNTS();
	directory("proc");
	directory("other");
	CHECK_OK(mount("proc", "proc", "proc", 0, "subset=pid"));
	CHECK_OK(mount("proc", "other", "proc", 0, NULL));
	CHECK_ERR(stat("proc/meminfo", &found), ENOENT);
	CHECK_OK(stat("other/meminfo", &found));
}

CASE(wrong_options_give_EINVAL, "proc(5), Mount options")
{
	static const char *const wrong[] = {
		"hidepid=3", "hidepid=5", "hidepid=", "hidepid", "hidepid=none", "hidepid=-1", "subset=tid", "subset",
		"gid=x", "gid", "nosuchoption",
	};
	size_t i;

	PRIVATE_MOUNTS();
	directory("proc");
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_ERR(mount("proc", "proc", "proc", 0, wrong[i]), EINVAL);
	CHECK_OK(mount("proc", "proc", "proc", 0, "hidepid=0x2,gid=010"));
	CHECK(strstr(mountinfo("/proc"), "gid=8,hidepid=invisible") != NULL);
}

CASE(directories_of_a_process_belong_to_its_effective_ids, "proc(5)")
{
	struct stat found;
	pid_t child;

	NEEDS_ROOT();
	child = CHECK_OK(fork());
	if (child == 0) {
		CHECK_OK(setresgid(65534, 65534, 65534));
		CHECK_OK(setresuid(65534, 65534, 65534));
		CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
		CHECK_OK(stat("/proc/self", &found));
		CHECK_EQ(found.st_uid, 65534);
		CHECK_EQ(found.st_gid, 65534);
		CHECK_OK(stat("/proc/self/task", &found));
		CHECK_EQ(found.st_uid, 65534);
		CHECK_OK(stat("/proc/self/status", &found));
		CHECK_EQ(found.st_uid, 0);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}
