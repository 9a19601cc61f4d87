/* Memory and descriptors of other processes, and what processes share. */
#include "harness.h"
#include "fixtures.h"

#include <linux/kcmp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/uio.h>

#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

static char *shared_page;
static char here[3 * PAGE] = "0123456789";

CASE(vectors_are_read_and_written_across_their_pieces, "process_vm_readv(2)")
{
	char buffer[16] = "";
	struct iovec local[] = { { buffer, 3 }, { buffer + 8, 4 } };
	struct iovec remote[] = { { here + 1, 1 }, { here + 3, 5 }, { here, 9 } };
	pid_t child = sleeping_child();

	CHECK_EQ(process_vm_readv(child, local, 2, remote, 2, 0), 6);
	CHECK_STREQ(buffer, "134");
	CHECK_STREQ(buffer + 8, "567");
	memcpy(buffer, "abcdefghij", 10);
	CHECK_EQ(process_vm_writev(child, local, 2, remote, 2, 0), 6);
	CHECK_STREQ(here, "0123456789");
	memset(buffer, 0, 10);
	local[0] = (struct iovec){ buffer, 10 };
	remote[0] = (struct iovec){ here, 10 };
	CHECK_EQ(process_vm_readv(child, local, 1, remote, 1, 0), 10);
	CHECK_EQ(buffer[1], 'a');
	CHECK_EQ(buffer[3], 'b');
	CHECK_EQ(buffer[5], 'i');
	end_child(child);
}

CASE(large_transfers_are_whole, "process_vm_readv(2)")
{
	size_t size = 5 << 20;
	char *from = map_pages(size / PAGE, MAP_PRIVATE), *to = map_pages(size / PAGE, MAP_PRIVATE);
	struct iovec local = { to, size }, remote = { from, size };
	pid_t child;

	for (size_t i = 0; i < size; i += 511)
		from[i] = i / 511;
	child = sleeping_child();
	memset(from, 0, size);
	CHECK_EQ(process_vm_readv(child, &local, 1, &remote, 1, 0), size);
	for (size_t i = 0; i < size; i += 511)
		CHECK_EQ((unsigned char)to[i], i / 511 % 256);
	end_child(child);
}

CASE(what_comes_before_a_hole_is_copied, "process_vm_readv(2)")
{
	char *pages = pages_before_a_hole(1), buffer[64];
	struct iovec local = { buffer, 64 }, remote[] = { { pages + PAGE - 8, 8 }, { pages + PAGE, 8 } };
	pid_t child = sleeping_child();

	CHECK_EQ(process_vm_readv(child, &local, 1, remote, 2, 0), 8);
	CHECK_ERR(process_vm_readv(child, &local, 1, remote + 1, 1, 0), EFAULT);
	CHECK_ERR(process_vm_writev(child, &local, 1, remote + 1, 1, 0), EFAULT);
	local.iov_base = unmapped();
	CHECK_ERR(process_vm_readv(child, &local, 1, remote, 1, 0), EFAULT);
	end_child(child);
}

CASE(memory_that_is_not_writable_is_not_written, "process_vm_readv(2)")
{
	char *page = map_pages(1, MAP_PRIVATE), buffer[8];
	struct iovec local = { buffer, 8 }, remote = { page, 8 };
	pid_t child;

	CHECK_OK(mprotect(page, PAGE, PROT_READ));
	child = sleeping_child();
	CHECK_EQ(process_vm_readv(child, &local, 1, &remote, 1, 0), 8);
	CHECK_ERR(process_vm_writev(child, &local, 1, &remote, 1, 0), EFAULT);
	end_child(child);
}

CASE(arguments_of_transfers_are_checked, "process_vm_readv(2)")
{
	char buffer[8];
	struct iovec local = { buffer, 8 }, remote = { here, 8 }, huge = { here, -1 };
	pid_t self = getpid();

	CHECK_ERR(process_vm_readv(self, &local, 1, &remote, 1, 1), EINVAL);
	CHECK_ERR(process_vm_readv(self, &local, 1025, &remote, 1, 0), EINVAL);
	CHECK_ERR(process_vm_readv(self, &local, 1, &remote, 1025, 0), EINVAL);
	CHECK_ERR(process_vm_readv(self, &huge, 1, &remote, 1, 0), EINVAL);
	CHECK_ERR(process_vm_readv(self, unmapped(), 1, &remote, 1, 0), EFAULT);
	CHECK_ERR(process_vm_readv(self, &local, 1, unmapped(), 1, 0), EFAULT);
	CHECK_ERR(process_vm_readv(0x3fffffff, &local, 1, &remote, 1, 0), ESRCH);
	CHECK_EQ(process_vm_readv(0x3fffffff, &local, 0, &remote, 1, 0), 0);
	CHECK_EQ(process_vm_readv(0x3fffffff, &local, 1, &remote, 0, 0), 0);
	CHECK_EQ(process_vm_readv(self, &local, 1, &remote, 1, 0), 8);
}

CASE(foreign_processes_are_EPERM, "process_vm_readv(2)")
{
	char buffer[8];
	struct iovec local = { buffer, 8 }, remote = { here, 8 };
	pid_t child, other;
	int pidfd;

	NEEDS_ROOT();
	child = sleeping_child();
	pidfd = CHECK_OK(syscall(SYS_pidfd_open, child, 0));
	other = fork_child();
	if (other == 0) {
		CHECK_OK(setresgid(65534, 65534, 65534));
		CHECK_OK(setresuid(65534, 65534, 65534));
		CHECK_ERR(process_vm_readv(child, &local, 1, &remote, 1, 0), EPERM);
		CHECK_ERR(process_vm_writev(child, &local, 1, &remote, 1, 0), EPERM);
		CHECK_ERR(syscall(SYS_kcmp, child, getpid(), KCMP_VM, 0, 0), EPERM);
		CHECK_ERR(syscall(SYS_pidfd_getfd, pidfd, 0, 0), EPERM);
		_exit(0);
	}
	CHECK_EXITS(other, 0);
	end_child(child);
}

CASE(pidfd_getfd_duplicates_a_descriptor, "pidfd_getfd(2)")
{
	int ends[2], pidfd, copy;
	char byte;
	pid_t child;

	CHECK_OK(pipe(ends));
	child = sleeping_child();
	close(ends[1]);
	pidfd = CHECK_OK(syscall(SYS_pidfd_open, child, 0));
	copy = CHECK_OK(syscall(SYS_pidfd_getfd, pidfd, ends[1], 0));
	CHECK_EQ(fcntl(copy, F_GETFD), FD_CLOEXEC);
	tell(copy);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_ERR(syscall(SYS_pidfd_getfd, pidfd, ends[1], 1), EINVAL);
	CHECK_ERR(syscall(SYS_pidfd_getfd, pidfd, 999, 0), EBADF);
	CHECK_ERR(syscall(SYS_pidfd_getfd, ends[0], 0, 0), EBADF);
	CHECK_ERR(syscall(SYS_pidfd_getfd, 999, 0, 0), EBADF);
	end_child(child);
	CHECK_ERR(syscall(SYS_pidfd_getfd, pidfd, ends[1], 0), ESRCH);
}

static long compare(pid_t first, pid_t second, int kind, unsigned long one, unsigned long two)
{
	return syscall(SYS_kcmp, first, second, kind, one, two);
}

CASE(kcmp_tells_what_is_shared, "kcmp(2)")
{
	pid_t self = getpid(), child = sleeping_child();
	int file = make_file("file", ""), copy = CHECK_OK(dup(file)), other = CHECK_OK(open("file", O_RDONLY));
	long one, two;

	CHECK_EQ(compare(self, self, KCMP_FILE, file, copy), 0);
	one = compare(self, self, KCMP_FILE, file, other);
	two = compare(self, self, KCMP_FILE, other, file);
	CHECK((one == 1 && two == 2) || (one == 2 && two == 1));
	CHECK_EQ(compare(self, child, KCMP_FILE, 0, 0), 0);
	for (int kind = KCMP_VM; kind <= KCMP_SYSVSEM; kind++)
		CHECK_EQ(compare(self, self, kind, 0, 0), 0);
	for (int kind = KCMP_VM; kind <= KCMP_SIGHAND; kind++)
		CHECK(compare(self, child, kind, 0, 0) > 0);
	CHECK_ERR(compare(self, self, KCMP_FILE, 999, 0), EBADF);
	CHECK_ERR(compare(self, self, KCMP_FILE, 0, -1UL), EBADF);
	CHECK_ERR(compare(self, self, 8, 0, 0), EINVAL);
	CHECK_ERR(compare(self, self, -1, 0, 0), EINVAL);
	CHECK_ERR(compare(self, 0x3fffffff, KCMP_VM, 0, 0), ESRCH);
	CHECK_ERR(compare(0x3fffffff, self, KCMP_VM, 0, 0), ESRCH);
	end_child(child);
}

CASE(kcmp_IO_tells_who_shares_a_priority, "kcmp(2)")
{
	const int low = 2 << 13 | 6, high = 2 << 13 | 2; /* IOPRIO_CLASS_BE */
	pid_t self = getpid(), child = sleeping_child();

	CHECK_EQ(compare(self, child, KCMP_IO, 0, 0), 0);
	CHECK_OK(syscall(SYS_ioprio_set, 1, 0, low));
	CHECK(compare(self, child, KCMP_IO, 0, 0) > 0);
	end_child(child);
	child = sleeping_child();
	CHECK(compare(self, child, KCMP_IO, 0, 0) > 0);
	CHECK_EQ(syscall(SYS_ioprio_get, 1, child), low);
	end_child(child);
	child = CHECK_OK(syscall(SYS_clone, CLONE_IO | SIGCHLD, NULL, NULL, NULL, 0));
	if (child == 0)
		for (;;)
			pause();
	CHECK_EQ(compare(self, child, KCMP_IO, 0, 0), 0);
	CHECK_OK(syscall(SYS_ioprio_set, 1, child, high));
	CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), high);
	end_child(child);
}

CASE(kcmp_SYSVSEM_tells_who_shares_undo_lists, "kcmp(2)")
{
	int set = CHECK_OK(semget(IPC_PRIVATE, 1, 0600));
	struct sembuf one = { .sem_op = 1, .sem_flg = SEM_UNDO };
	pid_t self = getpid(), child = sleeping_child();

	CHECK_EQ(compare(self, child, KCMP_SYSVSEM, 0, 0), 0);
	CHECK_OK(semop(set, &one, 1));
	CHECK(compare(self, child, KCMP_SYSVSEM, 0, 0) > 0);
	CHECK_OK(semctl(set, 0, IPC_RMID));
	CHECK(compare(self, child, KCMP_SYSVSEM, 0, 0) > 0);
	end_child(child);
}

CASE(kcmp_finds_the_files_that_epoll_watches, "kcmp(2)")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];
	struct epoll_event event = { .events = EPOLLIN };
	struct kcmp_epoll_slot slot = { .efd = epoll };
	pid_t self = getpid();

	CHECK_OK(pipe(ends));
	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
	slot.tfd = ends[0];
	CHECK_EQ(compare(self, self, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot), 0);
	CHECK(compare(self, self, KCMP_EPOLL_TFD, ends[1], (unsigned long)&slot) > 0);
	slot.toff = 1;
	CHECK_ERR(compare(self, self, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot), ENOENT);
	slot.toff = 0;
	slot.tfd = ends[1];
	CHECK_ERR(compare(self, self, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot), ENOENT);
	slot.efd = 999;
	CHECK_ERR(compare(self, self, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot), EBADF);
	slot.efd = ends[0];
	CHECK_ERR(compare(self, self, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot), EINVAL);
	CHECK_ERR(compare(self, self, KCMP_EPOLL_TFD, ends[0], 0), EFAULT);
}

CASE(process_mrelease_is_for_the_dying, "process_mrelease(2)")
{
	pid_t child = sleeping_child();
	int pidfd = CHECK_OK(syscall(SYS_pidfd_open, child, 0));

	CHECK_ERR(syscall(SYS_process_mrelease, pidfd, 1), EINVAL);
	CHECK_ERR(syscall(SYS_process_mrelease, 999, 0), EBADF);
	CHECK_ERR(syscall(SYS_process_mrelease, 0, 0), EBADF);
	CHECK_ERR(syscall(SYS_process_mrelease, pidfd, 0), EINVAL);
	end_child(child);
	CHECK_ERR(syscall(SYS_process_mrelease, pidfd, 0), ESRCH);
}

CASE(process_madvise_of_another_process_takes_hints_only, "process_madvise(2)")
{
	struct iovec range = { 0 };
	pid_t child;
	int pidfd;

	NEEDS_ROOT();
	shared_page = map_pages(2, MAP_PRIVATE);
	range = (struct iovec){ shared_page, 2 * PAGE };
	child = sleeping_child();
	pidfd = CHECK_OK(syscall(SYS_pidfd_open, child, 0));
	CHECK_EQ(syscall(SYS_process_madvise, pidfd, &range, 1, MADV_COLD, 0), 2 * PAGE);
	CHECK_ERR(syscall(SYS_process_madvise, pidfd, &range, 1, MADV_DONTNEED, 0), EINVAL);
	CHECK_ERR(syscall(SYS_process_madvise, pidfd, &range, 1, MADV_COLD, 1), EINVAL);
	range.iov_base = unmapped();
	CHECK_ERR(syscall(SYS_process_madvise, pidfd, &range, 1, MADV_COLD, 0), ENOMEM);
	CHECK_ERR(syscall(SYS_process_madvise, 999, &range, 1, MADV_COLD, 0), EBADF);
	end_child(child);
}

static long process_madvise_(int pidfd, void *start, size_t length, int advice)
{
	struct iovec range = { start, length };

	return syscall(SYS_process_madvise, pidfd, &range, 1, advice, 0);
}

/* A file's pages in the caller's memory: PAGEOUT lets go of those that can be read again. */
static char *pages_of_a_file(void)
{
	static char data[4 * PAGE];
	int fd = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));

	CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
	return CHECK_OK(mmap(NULL, sizeof(data), PROT_READ, MAP_SHARED, fd, 0));
}

static volatile char seen;

static int resident_kib(pid_t child, char *start)
{
	char name[64], line[64], *area, *rss;

	snprintf(name, sizeof(name), "/proc/%d/smaps", child);
	snprintf(line, sizeof(line), "%lx-", (long)start);
	area = strstr(text_of(name), line);
	rss = area ? strstr(area, "Rss:") : NULL;
	return rss ? atoi(rss + 4) : -1;
}

/* Pages that have only just come wait in the batch of the CPU that brought them, where the host can't take them out:
 * others push them on, on each CPU, as a busy child may keep the one that matters to itself. */
static void push_pages_on(void)
{
	cpu_set_t every, one;

	CHECK_OK(sched_getaffinity(0, sizeof(every), &every));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		char *pages;

		if (!CPU_ISSET(cpu, &every))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
		pages = map_pages(64, MAP_PRIVATE);
		memset(pages, 1, 64 * PAGE);
		CHECK_OK(munmap(pages, 64 * PAGE));
	}
	CHECK_OK(sched_setaffinity(0, sizeof(every), &every));
	usleep(1000);
}

static void page_out(bool busy)
{
	char *start = pages_of_a_file(), *ready = map_pages(1, MAP_SHARED);
	pid_t child = fork_child();
	int pidfd;

	if (child == 0) {
		for (int i = 0; i < 4; i++)
			seen = start[i * PAGE];
		*ready = 1;
		while (busy)
			seen++;
		pause();
	}
	while (!*(volatile char *)ready)
		usleep(1000);
	pidfd = CHECK_OK(syscall(SYS_pidfd_open, child, 0));
	CHECK_EQ(resident_kib(child, start), 16);
	for (int tries = 0; resident_kib(child, start) && tries < 2000; tries++) {
		CHECK_EQ(process_madvise_(pidfd, start, 4 * PAGE, MADV_PAGEOUT), 4 * PAGE);
		if (resident_kib(child, start))
			push_pages_on();
	}
	CHECK_EQ(resident_kib(child, start), 0);
	CHECK_EQ(process_madvise_(pidfd, start, 4 * PAGE, MADV_WILLNEED), 4 * PAGE);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_KILLED(child, SIGKILL);
	CHECK_ERR(process_madvise_(pidfd, start, 4 * PAGE, MADV_COLD), ESRCH);
}

CASE(process_madvise_pages_out_a_sleeping_process, "process_madvise(2)")
{
	NEEDS_ROOT();
	page_out(false);
}

CASE(process_madvise_pages_out_a_running_process, "process_madvise(2)")
{
	NEEDS_ROOT();
	page_out(true);
}

CASE(process_madvise_tells_what_was_done, "process_madvise(2)")
{
	char *start = map_pages(4, MAP_PRIVATE);
	struct iovec ranges[3] = { { start, PAGE }, { start + PAGE, 2 * PAGE }, { (void *)8192, PAGE } };
	int pidfd = CHECK_OK(syscall(SYS_pidfd_open, getpid(), 0));

	CHECK_EQ(syscall(SYS_process_madvise, pidfd, ranges, 3, MADV_COLD, 0), 3 * PAGE);
	CHECK_ERR(syscall(SYS_process_madvise, pidfd, ranges + 2, 1, MADV_COLD, 0), ENOMEM);
	CHECK_ERR(process_madvise_(pidfd, start + 1, PAGE, MADV_COLD), EINVAL);
	CHECK_ERR(process_madvise_(pidfd, start, PAGE, 99), EINVAL);
	CHECK_EQ(syscall(SYS_process_madvise, pidfd, ranges, 0, MADV_COLD, 0), 0);
	CHECK_ERR(syscall(SYS_process_madvise, pidfd, ranges, 1025, MADV_COLD, 0), EINVAL);
	CHECK_ERR(syscall(SYS_process_madvise, pidfd, ranges, 1, MADV_COLD, 1), EINVAL);
	CHECK_ERR(syscall(SYS_process_madvise, -1, unmapped(), 1, MADV_COLD, 0), EFAULT);
	CHECK_ERR(process_madvise_(-1, start, PAGE, 99), EBADF);
	CHECK_ERR(process_madvise_(CHECK_OK(dup(0)), start, PAGE, MADV_COLD), EBADF);
}

CASE(process_madvise_wants_access_and_CAP_SYS_NICE, "process_madvise(2)")
{
	char *start = map_pages(1, MAP_PRIVATE);
	pid_t child, other;
	int pidfd;

	NEEDS_ROOT();
	child = sleeping_child();
	pidfd = CHECK_OK(syscall(SYS_pidfd_open, child, 0));
	other = fork_child();
	if (other == 0) {
		CHECK_OK(setresuid(65534, 65534, 65534));
		CHECK_ERR(process_madvise_(pidfd, start, PAGE, MADV_COLD), EACCES);
		CHECK_ERR(process_madvise_(pidfd, start, PAGE, 99), EACCES);
		_exit(0);
	}
	CHECK_EXITS(other, 0);
	end_child(child);
}

CASE(process_madvise_of_ones_own_kind_wants_CAP_SYS_NICE, "process_madvise(2)")
{
	char *start = map_pages(1, MAP_PRIVATE);
	pid_t child;
	int pidfd;

	if (geteuid() == 0) {
		CHECK_OK(setresuid(65534, 65534, 65534));
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	}
	child = sleeping_child();
	pidfd = CHECK_OK(syscall(SYS_pidfd_open, child, 0));
	CHECK_ERR(process_madvise_(pidfd, start, PAGE, MADV_COLD), EPERM);
	CHECK_ERR(process_madvise_(pidfd, start, PAGE, MADV_DONTNEED), EINVAL);
	end_child(child);
}
