/* File locks: fcntl record locks, open file description locks, flock. */
#include "harness.h"
#include "fixtures.h"

#include <sys/file.h>

static int lock(int fd, int command, int type, off_t start, off_t length)
{
	struct flock what = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };

	return fcntl(fd, command, &what);
}

/* In a child: 0 if the lock can be had, otherwise the errno. */
static int refusal(int fd, int type, off_t start, off_t length)
{
	pid_t child = fork_child();

	if (child == 0)
		_exit(lock(fd, F_SETLK, type, start, length) == 0 ? 0 : errno);
	return WEXITSTATUS(wait_status(child));
}

CASE(write_lock_excludes_other_processes, "fcntl_locking(2)")
{
	int fd = make_file("file", "0123456789");

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 5));
	CHECK_EQ(refusal(fd, F_WRLCK, 4, 1), EAGAIN);
	CHECK_EQ(refusal(fd, F_RDLCK, 0, 1), EAGAIN);
	CHECK_EQ(refusal(fd, F_WRLCK, 5, 5), 0);
}

CASE(read_locks_are_shared, "fcntl_locking(2)")
{
	int fd = make_file("file", "0123456789");

	CHECK_OK(lock(fd, F_SETLK, F_RDLCK, 0, 0));
	CHECK_EQ(refusal(fd, F_RDLCK, 0, 10), 0);
	CHECK_EQ(refusal(fd, F_WRLCK, 1000000, 1), EAGAIN);
}

CASE(own_locks_are_replaced_and_split, "fcntl_locking(2)")
{
	int fd = make_file("file", "0123456789");

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 4, 2));
	CHECK_EQ(refusal(fd, F_WRLCK, 3, 1), EAGAIN);
	CHECK_EQ(refusal(fd, F_WRLCK, 4, 2), 0);
	CHECK_EQ(refusal(fd, F_WRLCK, 6, 1), EAGAIN);
	CHECK_OK(lock(fd, F_SETLK, F_RDLCK, 6, 1));
	CHECK_EQ(refusal(fd, F_RDLCK, 6, 1), 0);
}

CASE(F_GETLK_describes_the_conflicting_lock, "fcntl_locking(2)")
{
	struct flock what = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int ends[2], ready[2], fd = make_file("file", "0123456789");
	pid_t child;

	CHECK_OK(pipe(ends));
	CHECK_OK(pipe(ready));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(lock(fd, F_SETLK, F_RDLCK, 3, 4));
		tell(ready[1]);
		await(ends[0]);
		_exit(0);
	}
	await(ready[0]);
	CHECK_OK(fcntl(fd, F_GETLK, &what));
	CHECK_EQ(what.l_type, F_RDLCK);
	CHECK_EQ(what.l_start, 3);
	CHECK_EQ(what.l_len, 4);
	CHECK_EQ(what.l_pid, child);
	what = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET };
	CHECK_OK(fcntl(fd, F_GETLK, &what));
	CHECK_EQ(what.l_type, F_UNLCK);
	tell(ends[1]);
	CHECK_EXITS(child, 0);
}

CASE(closing_any_descriptor_releases_the_process_s_locks, "fcntl_locking(2)")
{
	int fd = make_file("file", "0123456789"), other = CHECK_OK(open("file", O_RDONLY));

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	CHECK_EQ(refusal(fd, F_WRLCK, 0, 0), EAGAIN);
	CHECK_OK(close(other));
	CHECK_EQ(refusal(fd, F_WRLCK, 0, 0), 0);
}

CASE(F_SETLKW_waits_until_the_lock_is_released, "fcntl_locking(2)")
{
	int ready[2], fd = make_file("file", "0123456789");
	pid_t child;

	CHECK_OK(pipe(ready));
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	child = fork_child();
	if (child == 0) {
		tell(ready[1]);
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 0) == 0 ? 0 : 1);
	}
	await(ready[0]);
	for (int i = 0; i < 20; i++)
		sched_yield();
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	CHECK_EXITS(child, 0);
}

CASE(F_SETLKW_is_interrupted_with_EINTR, "fcntl_locking(2)")
{
	int ready[2], go[2], fd = make_file("file", "0123456789");
	pid_t child;

	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
		tell(ready[1]);
		await(go[0]);
		_exit(0);
	}
	await(ready[0]);
	alarm_often(count_signal, 0);
	CHECK_ERR(lock(fd, F_SETLKW, F_WRLCK, 0, 0), EINTR);
	still();
	tell(go[1]);
	CHECK_EXITS(child, 0);
}

CASE(two_processes_waiting_for_each_other_give_EDEADLK, "fcntl_locking(2)")
{
	int ready[2], fd = make_file("file", "0123456789");
	int mine, theirs;
	pid_t child;

	CHECK_OK(pipe(ready));
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 1, 1));
		tell(ready[1]);
		if (lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0)
			_exit(0);
		_exit(errno);
	}
	await(ready[0]);
	mine = lock(fd, F_SETLKW, F_WRLCK, 1, 1) == 0 ? 0 : errno;
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	theirs = WEXITSTATUS(wait_status(child));
	CHECK((mine == EDEADLK && theirs == 0) || (mine == 0 && theirs == EDEADLK));
}

CASE(lock_argument_errors, "fcntl_locking(2)")
{
	int fd = make_file("file", ""), read_only = CHECK_OK(open("file", O_RDONLY));

	CHECK_ERR(lock(read_only, F_SETLK, F_WRLCK, 0, 0), EBADF);
	CHECK_ERR(lock(fd, F_SETLK, 17, 0, 0), EINVAL);
	CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, -1, 0), EINVAL);
	CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, 10, -20), EINVAL);
	CHECK_ERR(lock(999, F_SETLK, F_RDLCK, 0, 0), EBADF);
	CHECK_ERR(fcntl(fd, F_SETLK, unmapped()), EFAULT);
}

CASE(open_file_description_locks_conflict_within_a_process, "fcntl_locking(2)")
{
	int first = make_file("file", ""), second = CHECK_OK(open("file", O_RDWR));

	CHECK_OK(lock(first, F_OFD_SETLK, F_WRLCK, 0, 0));
	CHECK_ERR(lock(second, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
	CHECK_OK(lock(CHECK_OK(dup(first)), F_OFD_SETLK, F_WRLCK, 0, 0));
	CHECK_OK(lock(first, F_OFD_SETLK, F_UNLCK, 0, 0));
	CHECK_OK(lock(second, F_OFD_SETLK, F_WRLCK, 0, 0));
}

CASE(locks_of_many_descriptions_go_one_by_one, "fcntl_locking(2)")
{
	enum { FILES = 400 };
	int fds[FILES], probe = make_file("file", "");

	for (int i = 0; i < FILES; i++) {
		fds[i] = CHECK_OK(open("file", O_RDWR));
		CHECK_OK(lock(fds[i], F_OFD_SETLK, F_WRLCK, i * 2, 1));
		CHECK_OK(lock(fds[i], F_OFD_SETLK, F_RDLCK, 10000, 0));
		CHECK_OK(flock(fds[i], LOCK_SH));
	}
	for (int i = 1; i < FILES; i += 2)
		CHECK_OK(close(fds[i]));
	for (int i = 0; i < FILES; i++) {
		struct flock what = { .l_type = F_WRLCK, .l_start = i * 2, .l_len = 1 };

		CHECK_OK(fcntl(probe, F_OFD_GETLK, &what));
		CHECK_EQ(what.l_type, i % 2 ? F_UNLCK : F_WRLCK);
	}
	CHECK_OK(lock(probe, F_OFD_SETLK, F_RDLCK, 10000, 0));
	CHECK_ERR(lock(probe, F_OFD_SETLK, F_WRLCK, 10000, 0), EAGAIN);
	CHECK_ERR(flock(probe, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	for (int i = 0; i < FILES; i += 2)
		CHECK_OK(close(fds[i]));
	CHECK_OK(lock(probe, F_OFD_SETLK, F_WRLCK, 0, 0));
	CHECK_OK(flock(probe, LOCK_EX | LOCK_NB));
}

CASE(ranges_of_one_description_go_together, "fcntl_locking(2)")
{
	enum { RANGES = 200 };
	int fd = make_file("file", ""), other = CHECK_OK(open("file", O_RDWR)), copy;

	for (int i = 0; i < RANGES; i++)
		CHECK_OK(lock(fd, F_OFD_SETLK, i % 2 ? F_RDLCK : F_WRLCK, (i * 7 % RANGES) * 3, 2));
	CHECK_OK(lock(other, F_OFD_SETLK, F_WRLCK, 2, 1));
	CHECK_ERR(lock(other, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
	CHECK_ERR(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
	copy = CHECK_OK(dup(fd));
	CHECK_OK(close(fd));
	CHECK_ERR(lock(other, F_OFD_SETLK, F_RDLCK, 0, 1), EAGAIN);
	CHECK_OK(close(copy));
	CHECK_OK(lock(other, F_OFD_SETLK, F_WRLCK, 0, 0));
}

CASE(flock_belongs_to_the_open_file_description, "flock(2)")
{
	int first = make_file("file", ""), second = CHECK_OK(open("file", O_RDONLY));
	int copy = CHECK_OK(dup(first));

	CHECK_OK(flock(first, LOCK_EX));
	CHECK_ERR(flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(copy, LOCK_EX | LOCK_NB));
	CHECK_OK(close(first));
	CHECK_ERR(flock(second, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(close(copy));
	CHECK_OK(flock(second, LOCK_EX | LOCK_NB));
}

CASE(flock_is_shared_with_children, "flock(2)")
{
	int fd = make_file("file", ""), other = CHECK_OK(open("file", O_RDONLY));
	pid_t child;

	CHECK_OK(flock(fd, LOCK_EX));
	child = fork_child();
	if (child == 0)
		_exit(flock(fd, LOCK_UN));
	CHECK_EXITS(child, 0);
	CHECK_OK(flock(other, LOCK_EX | LOCK_NB));
}

CASE(flock_errors, "flock(2)")
{
	CHECK_ERR(flock(999, LOCK_SH), EBADF);
	CHECK_ERR(flock(999, 77), EINVAL);
	CHECK_ERR(flock(make_file("file", ""), 77), EINVAL);
}

CASE(mandatory_flock_is_ignored, "flock(2)")
{
	CHECK_OK(flock(make_file("file", ""), 32 | LOCK_EX));
	CHECK_OK(flock(CHECK_OK(open("file", O_RDONLY)), LOCK_EX | LOCK_NB));
}

/* Whether /proc/locks has a line of this process with these words, about the file and its range. */
static int is_told(const char *words, pid_t pid, const char *path, const char *range)
{
	char wanted[128], *line, *rest;
	struct stat status;
	FILE *stream = fopen("/proc/locks", "r");
	size_t room = 0;
	int found = 0;

	CHECK(stream != NULL);
	CHECK_OK(stat(path, &status));
	for (line = NULL; getline(&line, &room, stream) > 0;) {
		snprintf(wanted, sizeof(wanted), ": %s %d ", words, pid);
		rest = strstr(line, wanted);
		snprintf(wanted, sizeof(wanted), ":%lu %s\n", status.st_ino, range);
		found += rest && strlen(rest) > strlen(wanted) &&
			 strcmp(rest + strlen(rest) - strlen(wanted), wanted) == 0;
	}
	fclose(stream);
	free(line);
	return found;
}

CASE(proc_locks_tells_locks_and_leases, "proc_locks(5)")
{
	struct flock range = { .l_type = F_WRLCK, .l_start = 5, .l_len = 5 };
	int fd = make_file("file", "text"), leased;

	CHECK_OK(fcntl(fd, F_SETLK, &range));
	CHECK_OK(flock(fd, LOCK_SH));
	range = (struct flock){ .l_type = F_RDLCK, .l_start = 20 };
	CHECK_OK(fcntl(fd, F_OFD_SETLK, &range));
	CHECK_OK(close(make_file("leased", "")));
	leased = CHECK_OK(open("leased", O_RDONLY));
	CHECK_OK(fcntl(leased, F_SETLEASE, F_RDLCK));
	CHECK_EQ(is_told("POSIX  ADVISORY  WRITE", getpid(), "file", "5 9"), 1);
	CHECK_EQ(is_told("FLOCK  ADVISORY  READ", getpid(), "file", "0 EOF"), 1);
	CHECK_EQ(is_told("OFDLCK ADVISORY  READ", -1, "file", "20 EOF"), 1);
	CHECK_EQ(is_told("LEASE  ACTIVE    READ", getpid(), "leased", "0 EOF"), 1);
	CHECK_OK(flock(fd, LOCK_UN));
	CHECK_EQ(is_told("FLOCK  ADVISORY  READ", getpid(), "file", "0 EOF"), 0);
}

CASE(proc_locks_tells_who_waits, "proc_locks(5)")
{
	int fd = make_file("file", "text");
	pid_t child;

	CHECK_OK(flock(fd, LOCK_EX));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(flock(CHECK_OK(open("file", O_RDONLY)), LOCK_SH));
		_exit(0);
	}
	while (!is_told("-> FLOCK  ADVISORY  READ", child, "file", "0 EOF"))
		sched_yield();
	CHECK_OK(flock(fd, LOCK_UN));
	CHECK_EQ(wait_status(child), 0);
}
