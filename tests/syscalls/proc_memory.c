/* What /proc/PID tells of single pages and mapped files: pagemap, map_files. */
#include "harness.h"
#include "fixtures.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif

enum { ENTRY = 8 };

#define PRESENT (1ULL << 63)
#define OF_FILE (1ULL << 61)
#define LAST_PAGE 0x7fffffffe000ULL

static int open_pagemap(void)
{
	return CHECK_OK(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
}

static off_t place(const void *address)
{
	return (off_t)((uintptr_t)address / PAGE * ENTRY);
}

static char *anonymous(int pages, int kind)
{
	char *start = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

	CHECK(start != MAP_FAILED);
	return start;
}

static int open_executable(void)
{
	return CHECK_OK(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
}

static char *map_executable(void)
{
	char *start = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open_executable(), 0);

	CHECK(start != MAP_FAILED);
	return start;
}

CASE(pagemap_tells_touched_pages, "proc_pid_pagemap(5)")
{
	char *start = anonymous(4, MAP_PRIVATE);
	uint64_t entries[4];

	start[0] = start[2 * PAGE] = 1;
	CHECK_EQ(pread(open_pagemap(), entries, sizeof(entries), place(start)), (ssize_t)sizeof(entries));
	CHECK_EQ(entries[0] >> 61, PRESENT >> 61);
	CHECK_EQ(entries[1], 0);
	CHECK_EQ(entries[2] >> 61, PRESENT >> 61);
	CHECK_EQ(entries[3], 0);
}

CASE(pagemap_tells_pages_of_files, "proc_pid_pagemap(5)")
{
	char *shared = anonymous(1, MAP_SHARED), *file = map_executable();
	uint64_t entry;
	int fd = open_pagemap();

	shared[0] = *(volatile char *)file;
	CHECK_EQ(pread(fd, &entry, ENTRY, place(shared)), ENTRY);
	CHECK_EQ(entry >> 61, (PRESENT | OF_FILE) >> 61);
	CHECK_EQ(pread(fd, &entry, ENTRY, place(file)), ENTRY);
	CHECK_EQ(entry >> 61, (PRESENT | OF_FILE) >> 61);
}

CASE(pagemap_is_read_by_entries, "proc_pid_pagemap(5)")
{
	uint64_t entries[8];
	int fd = open_pagemap();

	CHECK_ERR(pread(fd, entries, ENTRY, 1), EINVAL);
	CHECK_ERR(pread(fd, entries, ENTRY - 1, 0), EINVAL);
	CHECK_ERR(pread(fd, entries, ENTRY + 4, 0), EINVAL);
	CHECK_EQ(pread(fd, entries, 0, 0), 0);
	CHECK_EQ(pread(fd, entries, sizeof(entries), LAST_PAGE / PAGE * ENTRY), ENTRY);
	CHECK_EQ(pread(fd, entries, sizeof(entries), (LAST_PAGE / PAGE + 1) * ENTRY), 0);
}

CASE(pagemap_has_no_end_to_seek_from, "proc_pid_pagemap(5)")
{
	uint64_t entry;
	int fd = open_pagemap();

	CHECK_ERR(lseek(fd, 0, SEEK_END), EINVAL);
	CHECK_EQ(lseek(fd, 10 * ENTRY, SEEK_SET), 10 * ENTRY);
	CHECK_EQ(read(fd, &entry, ENTRY), ENTRY);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 11 * ENTRY);
	CHECK_ERR(write(fd, &entry, ENTRY), EBADF);
}

CASE(map_files_has_each_mapped_file, "proc_pid_map_files(5)")
{
	char *start = map_executable(), wanted[64], name[128], target[4096], exe[4096];
	DIR *directory = opendir("/proc/self/map_files");
	struct dirent *entry;
	bool found = false;

	CHECK(directory != NULL);
	CHECK(anonymous(1, MAP_PRIVATE) != NULL);
	snprintf(wanted, sizeof(wanted), "%lx-%lx", (unsigned long)start, (unsigned long)start + PAGE);
	while ((entry = readdir(directory)))
		if (!strcmp(entry->d_name, wanted)) {
			CHECK_EQ(entry->d_type, DT_LNK);
			found = true;
		}
	CHECK(found);
	snprintf(name, sizeof(name), "/proc/self/map_files/%s", wanted);
	target[CHECK_OK(readlink(name, target, sizeof(target) - 1))] = '\0';
	exe[CHECK_OK(readlink("/proc/self/exe", exe, sizeof(exe) - 1))] = '\0';
	CHECK(!strcmp(target, exe));
}

CASE(map_files_links_tell_how_files_are_open, "proc_pid_map_files(5)")
{
	int fd = CHECK_OK(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	char name[128], *start;
	struct stat status;

	CHECK_OK(ftruncate(fd, PAGE));
	start = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(start != MAP_FAILED);
	snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (unsigned long)start,
		 (unsigned long)start + PAGE);
	CHECK_OK(lstat(name, &status));
	CHECK_EQ(status.st_mode, S_IFLNK | 0600);
	CHECK_EQ(status.st_size, 64);
	start = map_executable();
	snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (unsigned long)start,
		 (unsigned long)start + PAGE);
	CHECK_OK(lstat(name, &status));
	CHECK_EQ(status.st_mode, S_IFLNK | 0400);
}

CASE(map_files_open_deleted_files_for_the_privileged, "proc_pid_map_files(5)")
{
	int fd = CHECK_OK(open("gone", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	char name[128], byte, *start;

	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	start = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(start != MAP_FAILED);
	CHECK_OK(unlink("gone"));
	CHECK_OK(close(fd));
	snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (unsigned long)start,
		 (unsigned long)start + PAGE);
	if (geteuid()) {
		CHECK_ERR(open(name, O_RDONLY), EPERM);
		return;
	}
	fd = CHECK_OK(open(name, O_RDONLY));
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 'x');
}

CASE(map_files_knows_no_other_names, "proc_pid_map_files(5)")
{
	char *start = map_executable(), *bare = anonymous(1, MAP_PRIVATE), name[128];
	static const char *const wrong[] = { "zz", "-", "0-1000", "1000-0", "100000000000000000-2" };
	struct stat status;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		snprintf(name, sizeof(name), "/proc/self/map_files/%s", wrong[i]);
		CHECK_ERR(lstat(name, &status), ENOENT);
	}
	snprintf(name, sizeof(name), "/proc/self/map_files/0%lx-%lx", (unsigned long)start,
		 (unsigned long)start + PAGE);
	CHECK_ERR(lstat(name, &status), ENOENT);
	snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (unsigned long)bare,
		 (unsigned long)bare + PAGE);
	CHECK_ERR(lstat(name, &status), ENOENT);
}

CASE(ksm_stat_tells_what_was_asked_for, "proc_pid_ksm_stat(5)")
{
	CHECK(strstr(text_of("/proc/self/ksm_stat"), "ksm_merge_any: no\nksm_mergeable: no\n") != NULL);
	CHECK(!strcmp(text_of("/proc/self/ksm_merging_pages"), "0\n"));
	CHECK(madvise(anonymous(1, MAP_PRIVATE), PAGE, MADV_MERGEABLE) == 0);
	CHECK(strstr(text_of("/proc/self/ksm_stat"), "ksm_merge_any: no\nksm_mergeable: yes\n") != NULL);
	CHECK_OK(prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0));
	CHECK(strstr(text_of("/proc/self/ksm_stat"), "ksm_merge_any: yes\nksm_mergeable: yes\n") != NULL);
}
