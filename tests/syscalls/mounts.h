/* For cases about mounts: a mount namespace of the case's own, in which nothing is shared. */
#ifndef MOUNTS_H
#define MOUNTS_H

#include <sched.h>
#include <sys/mount.h>

/* Needs root; afterwards a tmpfs "top" is mounted in the case's directory, private, which it leaves to itself. */
#define PRIVATE_MOUNTS()								\
	do {										\
		NEEDS_ROOT();								\
		CHECK_OK(unshare(CLONE_NEWNS));						\
		CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));		\
		CHECK_OK(mkdir("top", 0755));						\
		CHECK_OK(mount("top", "top", "tmpfs", 0, NULL));			\
		CHECK_OK(chdir("top"));							\
	} while (0)

static inline void directory(const char *path)
{
	CHECK_OK(mkdir(path, 0755));
}

static inline void tmpfs_on(const char *path)
{
	CHECK_OK(mount("tmpfs", path, "tmpfs", 0, NULL));
}

static inline bool there(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The line of /proc/self/mountinfo whose mount point ends in this (of the topmost such), or "". */
static inline const char *mountinfo(const char *point)
{
	static char found[4096];
	static char line[4096];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	size_t length = strlen(point);

	CHECK(file != NULL);
	found[0] = 0;
	while (fgets(line, sizeof(line), file)) {
		char at[4096];

		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%*d %*d %*s %*s %4095s", at) == 1 && strlen(at) >= length &&
		    strcmp(at + strlen(at) - length, point) == 0)
			strcpy(found, line);
	}
	fclose(file);
	return found;
}

/* The number in the optional field "shared:" or "master:" of that line; 0: there is none. */
static inline int group_of(const char *point, const char *field)
{
	const char *text = strstr(mountinfo(point), field);

	return text ? atoi(text + strlen(field)) : 0;
}

/* The exit status of a program without arguments, or the errno of its execve. */
static inline int runs(const char *path)
{
	int status;
	pid_t child = CHECK_OK(fork());

	if (child == 0) {
		execl(path, path, (char *)NULL);
		_exit(errno);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#endif
