/* System calls that libraries hardly use any more, or in another form. */
#include "harness.h"
#include "fixtures.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <utime.h>

CASE(raw_fork_and_exit, "fork(2)")
{
	pid_t child = CHECK_OK(syscall(SYS_fork));

	if (child == 0)
		syscall(SYS_exit, 44);
	CHECK_EXITS(child, 44);
}

CASE(creat_truncates_and_opens_for_writing, "open(2)")
{
	int fd;

	put_file("file", "old");
	fd = CHECK_OK(syscall(SYS_creat, "file", 0600));
	CHECK_EQ(write(fd, "n", 1), 1);
	CHECK_STREQ(text_of("file"), "n");
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
}

CASE(raw_lstat_sees_the_link, "lstat(2)")
{
	struct stat status;

	CHECK_OK(symlink("nowhere", "link"));
	CHECK_OK(syscall(SYS_lstat, "link", &status));
	CHECK(S_ISLNK(status.st_mode));
	CHECK_ERR(syscall(SYS_lstat, "missing", &status), ENOENT);
}

CASE(old_getdents_has_the_type_in_the_last_byte, "getdents(2)")
{
	struct old_entry { unsigned long inode, offset; unsigned short length; char name[]; } *entry;
	char entries[4096] __attribute__((aligned(8)));
	long length, at = 0;
	bool found = false;
	int fd;

	put_file("file", "");
	fd = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	length = CHECK_OK(syscall(SYS_getdents, fd, entries, sizeof(entries)));
	for (; at < length; at += entry->length) {
		entry = (struct old_entry *)(entries + at);
		if (strcmp(entry->name, "file") == 0) {
			found = true;
			CHECK_EQ(entries[at + entry->length - 1], 8 /* DT_REG */);
		}
	}
	CHECK(found);
}

CASE(raw_mknod_makes_a_file, "mknod(2)")
{
	CHECK_OK(syscall(SYS_mknod, "file", S_IFREG | 0600, 0));
	CHECK_ERR(syscall(SYS_mknod, "file", S_IFREG | 0600, 0), EEXIST);
}

CASE(utime_utimes_and_futimesat_set_times, "utime(2)")
{
	struct utimbuf seconds = { 1000, 2000 };
	struct timeval times[2] = { { 3000, 4000 }, { 5000, 6000 } };
	struct stat status;

	put_file("file", "");
	CHECK_OK(syscall(SYS_utime, "file", &seconds));
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_atim.tv_sec, 1000);
	CHECK_EQ(status.st_mtim.tv_sec, 2000);
	CHECK_OK(syscall(SYS_utimes, "file", times));
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_atim.tv_nsec, 4000000);
	CHECK_EQ(status.st_mtim.tv_sec, 5000);
	times[0].tv_sec = 7000;
	CHECK_OK(syscall(SYS_futimesat, AT_FDCWD, "file", times));
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_atim.tv_sec, 7000);
	times[0].tv_usec = 1000000;
	CHECK_ERR(syscall(SYS_utimes, "file", times), EINVAL);
}

CASE(renameat_symlinkat_and_faccessat_are_relative, "rename(2)")
{
	char target[10];
	int directory;

	CHECK_OK(mkdir("below", 0700));
	directory = CHECK_OK(open("below", O_RDONLY));
	put_file("below/old", "");
	CHECK_OK(syscall(SYS_renameat, directory, "old", AT_FDCWD, "new"));
	CHECK_OK(syscall(SYS_symlinkat, "target", directory, "link"));
	CHECK_EQ(readlink("below/link", target, sizeof(target)), 6);
	CHECK_OK(syscall(SYS_faccessat, AT_FDCWD, "new", F_OK));
	CHECK_ERR(syscall(SYS_faccessat, directory, "old", F_OK), ENOENT);
}

CASE(lchown_and_fchownat_act_on_the_link, "chown(2)")
{
	CHECK_OK(symlink("nowhere", "link"));
	CHECK_OK(syscall(SYS_lchown, "link", geteuid(), -1));
	CHECK_OK(syscall(SYS_fchownat, AT_FDCWD, "link", -1, getegid(), AT_SYMLINK_NOFOLLOW));
	CHECK_ERR(syscall(SYS_chown, "link", -1, -1), ENOENT);
	CHECK_ERR(syscall(SYS_fchownat, AT_FDCWD, "link", -1, -1, 0x40000000), EINVAL);
}

CASE(fchmodat2_checks_its_flags, "chmod(2)")
{
	long answer;

	put_file("file", "");
	answer = syscall(452 /* fchmodat2 */, AT_FDCWD, "file", 0600, 0);
	if (answer == -1 && errno == ENOSYS)
		SKIP("the kernel is older than fchmodat2");
	CHECK_OK(answer);
	CHECK_ERR(syscall(452, AT_FDCWD, "file", 0600, 0x40000000), EINVAL);
	CHECK_OK(syscall(452, CHECK_OK(open("file", O_PATH)), "", 0640, AT_EMPTY_PATH));
}

CASE(epoll_pwait_waits_with_another_mask, "epoll_wait(2)")
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = CHECK_OK(epoll_create1(0)), fd = CHECK_OK(eventfd(1, 0));
	sigset_t block, none;

	handle(SIGUSR1, count_signal, 0);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &block, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERR(epoll_pwait(epoll, &event, 1, -1, &none), EINTR);
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	CHECK_EQ(epoll_pwait(epoll, &event, 1, -1, &none), 1);
}

CASE(signalfd_without_flags, "signalfd(2)")
{
	unsigned long set = 1 << (SIGUSR1 - 1);

	CHECK_EQ(fcntl(CHECK_OK(syscall(SYS_signalfd, -1, &set, 8)), F_GETFD), 0);
}

CASE(sync_file_range_and_readahead, "sync_file_range(2)")
{
	int fd = make_file("file", "x"), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_OK(sync_file_range(fd, 0, 1, SYNC_FILE_RANGE_WRITE));
	CHECK_ERR(sync_file_range(fd, 0, 1, 0x100), EINVAL);
	CHECK_ERR(sync_file_range(fd, -1, 1, 0), EINVAL);
	CHECK_ERR(sync_file_range(ends[0], 0, 1, 0), ESPIPE);
	CHECK_ERR(readahead(999, 0, 1), EBADF);
	CHECK_OK(syscall(SYS_sync));
}

CASE(personality_is_reported, "personality(2)")
{
	CHECK_EQ(syscall(SYS_personality, 0xffffffff), 0);
}
