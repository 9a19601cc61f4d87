/* Layers of an overlay, and what is in them. */
#ifndef OVERLAY_H
#define OVERLAY_H

#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define LAYERS "lowerdir=a:b,upperdir=u,workdir=w"

static inline void put(const char *path, const char *text)
{
	int fd = CHECK_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	CHECK_OK(close(fd));
}

static inline const char *get(const char *path)
{
	static char text[256];
	int fd = CHECK_OK(open(path, O_RDONLY));
	ssize_t got = CHECK_OK(read(fd, text, sizeof(text) - 1));

	text[got] = 0;
	CHECK_OK(close(fd));
	return text;
}

/* How many names a directory has, without "." and "..". */
static inline int count(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int found = 0;

	CHECK(directory != NULL);
	while ((entry = readdir(directory)))
		found += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(directory);
	return found;
}

static inline bool is_whiteout(const char *path)
{
	struct stat found;

	return lstat(path, &found) == 0 && S_ISCHR(found.st_mode) && found.st_rdev == 0;
}

static inline void layers(void)
{
	directory("a");
	directory("b");
	directory("u");
	directory("w");
	directory("m");
	directory("a/dir");
	directory("b/dir");
	put("a/both", "of a");
	put("b/both", "of b");
	put("b/deep", "of b");
	put("a/dir/1", "one");
	put("b/dir/2", "two");
}

#define OVERLAY()								\
	do {									\
		PRIVATE_MOUNTS();						\
		layers();							\
		CHECK_OK(mount("overlay", "m", "overlay", 0, LAYERS));		\
	} while (0)

#endif
