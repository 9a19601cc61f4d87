/* io_setup(2), io_submit(2), io_getevents(2), io_cancel(2), io_destroy(2). */
#include "harness.h"
#include "fixtures.h"

#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

/* The ring at a context's address; libaio looks into it. */
struct ring {
	unsigned int id, slots, head, tail, magic, compatible, incompatible, header;
	struct io_event events[];
};

static char buffer[4096];
static struct io_event events[16];

static aio_context_t context_for(unsigned int count)
{
	aio_context_t context = 0;

	CHECK_OK(syscall(SYS_io_setup, count, &context));
	return context;
}

static struct iocb request(int opcode, int fd, const void *memory, size_t length, off_t offset)
{
	struct iocb made = { .aio_data = 77, .aio_lio_opcode = opcode, .aio_fildes = fd };

	made.aio_buf = (uintptr_t)memory;
	made.aio_nbytes = length;
	made.aio_offset = offset;
	return made;
}

static long submit(aio_context_t context, struct iocb *one)
{
	return syscall(SYS_io_submit, context, 1L, &one);
}

static long collect(aio_context_t context, long least, long most, long milliseconds)
{
	struct timespec timeout = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

	return syscall(SYS_io_getevents, context, least, most, events, milliseconds < 0 ? NULL : &timeout);
}

/* Submits one request and returns its result. */
static long long done(aio_context_t context, struct iocb *one)
{
	CHECK_EQ(submit(context, one), 1);
	CHECK_EQ(collect(context, 1, 16, 5000), 1);
	CHECK_EQ(events[0].obj, (uintptr_t)one);
	CHECK_EQ(events[0].data, 77);
	CHECK_EQ(events[0].res2, 0);
	return events[0].res;
}

CASE(setup_checks_its_arguments, "io_setup(2)")
{
	aio_context_t context = 0;

	CHECK_ERR(syscall(SYS_io_setup, 0, &context), EINVAL);
	CHECK_ERR(syscall(SYS_io_setup, 0x10000000, &context), EINVAL);
	CHECK_ERR(syscall(SYS_io_setup, 0x700000, &context), EINVAL);
	CHECK_ERR(syscall(SYS_io_setup, 0x70000, &context), EAGAIN);
	CHECK_ERR(syscall(SYS_io_setup, 8, (void *)8), EFAULT);
	context = 1;
	CHECK_ERR(syscall(SYS_io_setup, 8, &context), EINVAL);
	CHECK_ERR(syscall(SYS_io_destroy, 0L), EINVAL);
	CHECK_ERR(syscall(SYS_io_destroy, (long)buffer), EINVAL);
}

CASE(a_context_is_a_ring_in_memory, "io_setup(2)")
{
	aio_context_t context = context_for(8);
	struct ring *ring = (void *)context;

	CHECK_EQ(ring->magic, 0xa10a10a1);
	CHECK_EQ(ring->header, sizeof(*ring));
	CHECK_EQ(ring->incompatible, 0);
	CHECK_EQ(ring->slots, (PAGE - sizeof(*ring)) / sizeof(*ring->events));
	CHECK_EQ(ring->head, ring->tail);
	CHECK(strstr(text_of("/proc/self/maps"), "/[aio] (deleted)\n"));
	CHECK_OK(syscall(SYS_io_destroy, context));
	CHECK(!strstr(text_of("/proc/self/maps"), "[aio]"));
	CHECK_ERR(syscall(SYS_io_destroy, context), EINVAL);
	CHECK_ERR(collect(context, 0, 1, 0), EINVAL);
}

CASE(reads_and_writes_are_done, "io_submit(2)")
{
	aio_context_t context = context_for(4);
	int fd = make_file("file", "0123456789");
	struct iocb write = request(IOCB_CMD_PWRITE, fd, "abc", 3, 4);
	struct iocb read = request(IOCB_CMD_PREAD, fd, buffer, 100, 2);

	CHECK_EQ(done(context, &write), 3);
	CHECK_EQ(done(context, &read), 8);
	CHECK(memcmp(buffer, "23abc789", 8) == 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	read.aio_offset = 100;
	CHECK_EQ(done(context, &read), 0);
}

CASE(vectors_are_transferred, "io_submit(2)")
{
	aio_context_t context = context_for(4);
	int fd = make_file("file", "");
	struct iovec out[] = { { "ab", 2 }, { "cde", 3 } }, in[] = { { buffer, 4 }, { buffer + 10, 4 } };
	struct iocb write = request(IOCB_CMD_PWRITEV, fd, out, 2, 0);
	struct iocb read = request(IOCB_CMD_PREADV, fd, in, 2, 0);

	CHECK_EQ(done(context, &write), 5);
	CHECK_EQ(done(context, &read), 5);
	CHECK(memcmp(buffer, "abcd", 4) == 0 && buffer[10] == 'e');
}

CASE(several_requests_are_submitted_at_once, "io_submit(2)")
{
	aio_context_t context = context_for(8);
	int fd = make_file("file", "0123456789");
	struct iocb requests[3], *pointers[3];

	for (int i = 0; i < 3; i++) {
		requests[i] = request(IOCB_CMD_PREAD, fd, buffer + i, 1, i);
		requests[i].aio_data = i;
		pointers[i] = &requests[i];
	}
	CHECK_EQ(syscall(SYS_io_submit, context, 3L, pointers), 3);
	CHECK_EQ(collect(context, 3, 2, 0), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(collect(context, 1, 2, 0), 2);
	CHECK_EQ(events[0].data, 0);
	CHECK_EQ(collect(context, 1, 2, 0), 1);
	CHECK_EQ(events[0].data, 2);
	CHECK(memcmp(buffer, "012", 3) == 0);
	requests[1].aio_fildes = -1;
	CHECK_EQ(syscall(SYS_io_submit, context, 3L, pointers), 1);
	pointers[1] = (void *)8;
	CHECK_EQ(syscall(SYS_io_submit, context, 3L, pointers), 1);
	CHECK_EQ(syscall(SYS_io_submit, context, 0L, pointers), 0);
}

CASE(bad_requests_are_refused, "io_submit(2)")
{
	aio_context_t context = context_for(4);
	int fd = make_file("file", "text"), reader = open("file", O_RDONLY);
	struct iocb good = request(IOCB_CMD_PREAD, fd, buffer, 4, 0), bad, *pointer = (void *)8;

	CHECK_ERR(syscall(SYS_io_submit, 0L, 1L, &pointer), EINVAL);
	CHECK_ERR(syscall(SYS_io_submit, context, -1L, &pointer), EINVAL);
	CHECK_ERR(syscall(SYS_io_submit, context, 1L, &pointer), EFAULT);
	CHECK_ERR(syscall(SYS_io_submit, context, 1L, (void *)8), EFAULT);
	bad = good, bad.aio_fildes = -1;
	CHECK_ERR(submit(context, &bad), EBADF);
	bad = good, bad.aio_lio_opcode = IOCB_CMD_PWRITE, bad.aio_fildes = reader;
	CHECK_ERR(submit(context, &bad), EBADF);
	bad = good, bad.aio_fildes = CHECK_OK(open(".", O_RDONLY));
	CHECK_ERR(submit(context, &bad), EINVAL);
	bad = good, bad.aio_lio_opcode = 99;
	CHECK_ERR(submit(context, &bad), EINVAL);
	bad.aio_lio_opcode = IOCB_CMD_NOOP;
	CHECK_ERR(submit(context, &bad), EINVAL);
	bad = good, bad.aio_reserved2 = 1;
	CHECK_ERR(submit(context, &bad), EINVAL);
	bad = good, bad.aio_nbytes = -1;
	CHECK_ERR(submit(context, &bad), EINVAL);
	bad = good, bad.aio_offset = -1;
	CHECK_ERR(submit(context, &bad), EINVAL);
	bad = good, bad.aio_buf = -8;
	CHECK_ERR(submit(context, &bad), EFAULT);
	bad = good, bad.aio_rw_flags = 0x10000;
	CHECK_ERR(submit(context, &bad), EOPNOTSUPP);
	bad = good, bad.aio_flags = IOCB_FLAG_RESFD, bad.aio_resfd = -1;
	CHECK_ERR(submit(context, &bad), EBADF);
	bad.aio_resfd = fd;
	CHECK_ERR(submit(context, &bad), EINVAL);
	bad = good, bad.aio_flags = IOCB_FLAG_IOPRIO, bad.aio_reqprio = 3; /* a level without a class */
	CHECK_ERR(submit(context, &bad), EINVAL);
	CHECK_EQ(collect(context, 0, 1, 0), 0);
	bad = good, bad.aio_buf = 8;
	CHECK_EQ(done(context, &bad), -EFAULT);
	good.aio_key = 99;
	CHECK_EQ(done(context, &good), 4);
	CHECK_EQ(good.aio_key, 0);
}

CASE(flags_of_a_request_come_before_the_mode_of_its_file, "io_submit(2)")
{
	aio_context_t context = context_for(4);
	int file = CHECK_OK(memfd_create("file", 0)), ends[2];
	struct iocb one = request(IOCB_CMD_PWRITE, file, buffer, 8, 0), bad;

	CHECK_OK(pipe(ends));
	one.aio_rw_flags = 0x100;
	if (submit(context, &one) < 0)
		SKIP("a kernel before 6.18");
	collect(context, 1, 1, 0);
	CHECK_EQ(done(context, &one), 8);
	one.aio_rw_flags = 0x117;
	CHECK_EQ(done(context, &one), 8);
	one.aio_rw_flags = 0x20;
	CHECK_EQ(done(context, &one), 8);
	bad = one, bad.aio_rw_flags = 8;
	CHECK_ERR(submit(context, &bad), EOPNOTSUPP);
	bad.aio_rw_flags = 0x38;
	CHECK_ERR(submit(context, &bad), EINVAL);
	bad.aio_rw_flags = 0x40;
	CHECK_ERR(submit(context, &bad), EOPNOTSUPP);
	bad.aio_rw_flags = 0x80;
	CHECK_ERR(submit(context, &bad), EOPNOTSUPP);
	bad.aio_fildes = ends[0]; /* can't be written to */
	bad.aio_rw_flags = 0;
	CHECK_ERR(submit(context, &bad), EBADF);
	bad.aio_rw_flags = 0x30;
	CHECK_ERR(submit(context, &bad), EINVAL);
	bad.aio_rw_flags = 0x200;
	CHECK_ERR(submit(context, &bad), EOPNOTSUPP);
	bad.aio_nbytes = 0;
	CHECK_ERR(submit(context, &bad), EOPNOTSUPP);
	one.aio_fildes = ends[1];
	one.aio_rw_flags = 0x108;
	CHECK_EQ(done(context, &one), 8);
	CHECK_OK(close(ends[0]));
	CHECK_EQ(done(context, &one), -EPIPE); /* which would have killed */
}

CASE(old_kinds_of_files_take_no_requests, "io_submit(2)")
{
	aio_context_t context = context_for(4);
	struct iocb one = request(IOCB_CMD_PWRITE, CHECK_OK(eventfd(0, 0)), buffer, 8, 0);

	CHECK_ERR(submit(context, &one), EINVAL);
	one = request(IOCB_CMD_PWRITE, CHECK_OK(open("/dev/full", O_WRONLY)), buffer, 8, 0);
	CHECK_ERR(submit(context, &one), EINVAL);
	one = request(IOCB_CMD_PREAD, CHECK_OK(open("/proc/self/stat", O_RDONLY)), buffer, 8, 0);
	CHECK_ERR(submit(context, &one), EINVAL);
	one = request(IOCB_CMD_PREAD, CHECK_OK(open(".", O_RDONLY)), buffer, 8, 0);
	CHECK_ERR(submit(context, &one), EINVAL);
	one.aio_rw_flags = 8;
	CHECK_ERR(submit(context, &one), EOPNOTSUPP);
}

CASE(syncs_take_no_buffer, "io_submit(2)")
{
	aio_context_t context = context_for(4);
	int fd = make_file("file", "text"), ends[2];
	struct iocb sync = request(IOCB_CMD_FSYNC, fd, NULL, 0, 0);

	CHECK_EQ(done(context, &sync), 0);
	sync.aio_lio_opcode = IOCB_CMD_FDSYNC;
	CHECK_EQ(done(context, &sync), 0);
	sync.aio_nbytes = 1;
	CHECK_ERR(submit(context, &sync), EINVAL);
	CHECK_OK(pipe(ends));
	sync = request(IOCB_CMD_FSYNC, ends[0], NULL, 0, 0);
	CHECK_ERR(submit(context, &sync), EINVAL);
}

CASE(an_eventfd_counts_completions, "io_submit(2)")
{
	aio_context_t context = context_for(4);
	int fd = make_file("file", "text"), counter = CHECK_OK(eventfd(0, EFD_NONBLOCK));
	struct iocb one = request(IOCB_CMD_PREAD, fd, buffer, 4, 0);
	uint64_t value;

	one.aio_flags = IOCB_FLAG_RESFD;
	one.aio_resfd = counter;
	CHECK_EQ(done(context, &one), 4);
	CHECK_EQ(done(context, &one), 4);
	CHECK_EQ(read(counter, &value, 8), 8);
	CHECK_EQ(value, 2);
}

CASE(pipes_can_be_read, "io_submit(2)")
{
	aio_context_t context = context_for(4);
	int ends[2];
	struct iocb request_;

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	request_ = request(IOCB_CMD_PREAD, ends[0], buffer, 10, 5);
	CHECK_EQ(done(context, &request_), 3);
	CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK));
	CHECK_EQ(done(context, &request_), -EAGAIN);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(done(context, &request_), 0);
}

CASE(polls_complete_when_the_file_is_ready, "io_submit(2)")
{
	aio_context_t context = context_for(4);
	int ends[2];
	struct iocb poll;
	pid_t child;

	CHECK_OK(pipe(ends));
	poll = request(IOCB_CMD_POLL, ends[0], (void *)POLLIN, 0, 0);
	CHECK_EQ(submit(context, &poll), 1);
	CHECK_EQ(collect(context, 1, 4, 10), 0);
	child = fork_child();
	if (child == 0) {
		usleep(10000);
		_exit(write(ends[1], "x", 1) != 1);
	}
	CHECK_EQ(collect(context, 1, 4, 5000), 1);
	CHECK_EQ(events[0].res, POLLIN | POLLRDNORM);
	CHECK_EXITS(child, 0);
	CHECK_EQ(done(context, &poll), POLLIN);
	CHECK_EQ(collect(context, 0, 4, 0), 0);
	poll.aio_buf = POLLIN | 0x10000;
	CHECK_ERR(submit(context, &poll), EINVAL);
	poll = request(IOCB_CMD_POLL, ends[0], (void *)POLLIN, 1, 0);
	CHECK_ERR(submit(context, &poll), EINVAL);
}

CASE(a_poll_can_be_cancelled, "io_cancel(2)")
{
	aio_context_t context = context_for(4);
	int ends[2];
	struct iocb poll;

	CHECK_OK(pipe(ends));
	poll = request(IOCB_CMD_POLL, ends[0], (void *)POLLIN, 0, 0);
	CHECK_ERR(syscall(SYS_io_cancel, context, &poll, events), EINVAL);
	CHECK_EQ(submit(context, &poll), 1);
	CHECK_ERR(syscall(SYS_io_cancel, context, &poll, events), EINPROGRESS);
	CHECK_EQ(collect(context, 1, 4, 5000), 1);
	CHECK_EQ(events[0].obj, (uintptr_t)&poll);
	CHECK_EQ(events[0].res, 0);
	CHECK_ERR(syscall(SYS_io_cancel, context, &poll, events), EINVAL);
	CHECK_ERR(syscall(SYS_io_cancel, context, 8, events), EFAULT);
	CHECK_ERR(syscall(SYS_io_cancel, 0L, &poll, events), EINVAL);
	poll.aio_key = 5;
	CHECK_ERR(syscall(SYS_io_cancel, context, &poll, events), EINVAL);
}

CASE(a_full_context_gives_EAGAIN, "io_submit(2)")
{
	aio_context_t context = context_for(1);
	struct iocb polls[300];
	int ends[2], count;

	CHECK_OK(pipe(ends));
	for (count = 0; count < 300; count++) {
		polls[count] = request(IOCB_CMD_POLL, ends[0], (void *)POLLIN, 0, 0);
		if (submit(context, &polls[count]) != 1)
			break;
	}
	CHECK_EQ(errno, EAGAIN);
	CHECK(count >= 1 && count < 200);
	CHECK_OK(syscall(SYS_io_destroy, context));
}

CASE(getevents_gives_up_in_time, "io_getevents(2)")
{
	aio_context_t context = context_for(4);
	long long start = nanoseconds(CLOCK_MONOTONIC);

	CHECK_EQ(collect(context, 1, 4, 30), 0);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - start >= 30000000);
	CHECK_EQ(collect(context, 0, 4, -1), 0);
	CHECK_ERR(syscall(SYS_io_getevents, context, -1L, 4L, events, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_io_getevents, context, 1L, 4L, events, (void *)8), EFAULT);
	CHECK_ERR(syscall(SYS_io_getevents, 0L, 1L, 4L, events, NULL), EINVAL);
}

CASE(a_signal_ends_getevents, "io_getevents(2)")
{
	aio_context_t context = context_for(4);

	alarm_often(count_signal, SA_RESTART);
	CHECK_ERR(collect(context, 1, 4, -1), EINTR);
	still();
}

CASE(pgetevents_waits_under_a_mask, "io_getevents(2)")
{
	aio_context_t context = context_for(4);
	struct timespec little = { 0, 50000000 };
	sigset_t all;
	struct {
		sigset_t *set;
		size_t size;
	} mask = { &all, 8 };

	sigfillset(&all);
	handle(SIGUSR1, count_signal, 0);
	CHECK_OK(sigprocmask(SIG_BLOCK, &all, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(syscall(SYS_io_pgetevents, context, 1L, 4L, events, &little, &mask), 0);
	CHECK_EQ(signals_seen, 0);
	sigemptyset(&all);
	CHECK_ERR(syscall(SYS_io_pgetevents, context, 1L, 4L, events, NULL, &mask), EINTR);
	CHECK_EQ(signals_seen, 1);
	mask.size = 4;
	CHECK_ERR(syscall(SYS_io_pgetevents, context, 1L, 4L, events, &little, &mask), EINVAL);
}

CASE(the_guest_may_take_events_from_the_ring, "io_getevents(2)")
{
	aio_context_t context = context_for(1);
	struct ring *ring = (void *)context;
	int fd = make_file("file", "text");
	struct iocb read = request(IOCB_CMD_PREAD, fd, buffer, 4, 0);

	for (int round = 0; round < 400; round++) {
		CHECK_EQ(submit(context, &read), 1);
		CHECK(ring->head != ring->tail);
		CHECK_EQ(ring->events[ring->head].res, 4);
		ring->head = (ring->head + 1) % ring->slots;
	}
	CHECK_EQ(collect(context, 0, 4, 0), 0);
}

CASE(contexts_are_not_inherited, "io_setup(2)")
{
	aio_context_t context = context_for(4);
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_ERR(collect(context, 0, 1, 0), EINVAL);
		CHECK_ERR(syscall(SYS_io_destroy, context), EINVAL);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(collect(context, 0, 1, 0), 0);
}

CASE(proc_counts_what_contexts_are_for, "proc_sys_fs(5)")
{
	aio_context_t context = context_for(321);
	long after, before = atol(text_of("/proc/sys/fs/aio-nr"));

	CHECK(before >= 321);
	CHECK_OK(syscall(SYS_io_destroy, context));
	after = atol(text_of("/proc/sys/fs/aio-nr"));
	CHECK_EQ(before - after, 321);
	CHECK(atol(text_of("/proc/sys/fs/aio-max-nr")) >= 1024);
}
