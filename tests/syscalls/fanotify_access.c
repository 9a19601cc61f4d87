/* fanotify(7): who is asked about what, and which answers there are. */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <dirent.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#ifndef FAN_REPORT_FD_ERROR
#define FAN_REPORT_FD_ERROR 0x2000
#endif
#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS 0x100000
#endif
#define DENY_WITH(number) (FAN_DENY | (number) << 24)
#define ASKING (FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM | FAN_ONDIR)

static int group(unsigned flags)
{
	NEEDS_ROOT();
	return CHECK_OK(fanotify_init(flags, O_RDONLY));
}

/* What an answering child was asked, one mask after the other, with " " between. */
struct asked {
	char text[1024];
	unsigned responses[16];
	int count;
};

/* Forks who answers everything that the group asks; `asked->responses` first, then FAN_ALLOW. */
static pid_t answer_all(int fd, struct asked *asked)
{
	struct fanotify_event_metadata events[16], *event = events;
	struct fanotify_response response;
	pid_t child = CHECK_OK(fork());
	ssize_t size;

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((size = read(fd, events, sizeof(events))) > 0) {
		for (event = events; FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size)) {
			response.fd = event->fd;
			response.response = asked->responses[asked->count] ? asked->responses[asked->count] : FAN_ALLOW;
			asked->count++;
			sprintf(asked->text + strlen(asked->text), "%llx ", (unsigned long long)event->mask);
			if (write(fd, &response, sizeof(response)) != sizeof(response))
				_exit(1);
			close(event->fd);
		}
	}
	_exit(2);
}

static struct asked *shared_record(void)
{
	return map_pages(1, MAP_SHARED);
}

/* What was asked since the last time. */
static const char *asked_since(struct asked *asked)
{
	static char text[1024];

	strcpy(text, asked->text);
	asked->text[0] = 0;
	return text;
}

static void end(pid_t child)
{
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

CASE(every_way_of_reading_is_asked_about, "fanotify(7)")
{
	struct asked *asked = shared_record();
	struct iovec vector;
	off64_t zero = 0;
	off_t start = 0;
	int fd = group(FAN_CLASS_CONTENT), file, ends[2];
	char bytes[300];
	pid_t child;

	PRIVATE_MOUNTS();
	put_file("file", "0123456789");
	CHECK_OK(mkdir("dir", 0755));
	CHECK_OK(pipe(ends));
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, ASKING, AT_FDCWD, "."));
	child = answer_all(fd, asked);
	file = CHECK_OK(open("file", O_RDWR));
	CHECK_STREQ(asked_since(asked), "10000 ");
	CHECK_EQ(read(file, bytes, 1), 1);
	CHECK_EQ(pread(file, bytes, 0, 0), 0);
	vector = (struct iovec){ bytes, 2 };
	CHECK_EQ(readv(file, &vector, 1), 2);
	CHECK_STREQ(asked_since(asked), "20000 20000 20000 ");
	CHECK_EQ(sendfile(ends[1], file, &start, 3), 3);
	CHECK_EQ(splice(file, &zero, ends[1], NULL, 3, 0), 3);
	zero = 0;
	CHECK_EQ(copy_file_range(file, &zero, file, &(off64_t){ 20 }, 3, 0), 3);
	CHECK_STREQ(asked_since(asked), "20000 20000 20000 ");
	CHECK_OK(mmap(NULL, 10, PROT_READ, MAP_PRIVATE, file, 0));
	CHECK_EQ(write(file, "x", 1), 1);
	CHECK_OK(ftruncate(file, 5));
	CHECK_OK(truncate("file", 4));
	CHECK_OK(close(CHECK_OK(open("file", O_PATH))));
	CHECK_STREQ(asked_since(asked), "");
	file = CHECK_OK(open("dir", O_RDONLY | O_DIRECTORY));
	CHECK(syscall(SYS_getdents64, file, bytes, sizeof(bytes)) > 0);
	CHECK_STREQ(asked_since(asked), "10000 20000 ");
	end(child);
}

CASE(an_exec_asks_before_the_file_is_opened_and_for_each_read, "fanotify_mark(2)")
{
	struct asked *asked = shared_record();
	int fd = group(FAN_CLASS_CONTENT), status;
	pid_t child, runner;

	PRIVATE_MOUNTS();
	put_file("script", "#!/bin/sh\nexit 3\n");
	CHECK_OK(chmod("script", 0755));
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN_EXEC_PERM | FAN_ACCESS_PERM, AT_FDCWD,
			       "."));
	asked->responses[2] = FAN_DENY;
	child = answer_all(fd, asked);
	runner = CHECK_OK(fork());
	if (runner == 0) {
		close(fd);
		_exit(execl("./script", "script", NULL) == -1 ? 7 : 0);
	}
	CHECK_EQ(waitpid(runner, &status, 0), runner);
	CHECK_STREQ(asked_since(asked), "40000 20000 20000 "); /* the last by the shell */
	asked->responses[asked->count] = FAN_DENY;
	CHECK_ERR(execl("./script", "script", NULL), EPERM);
	CHECK_STREQ(asked_since(asked), "40000 ");
	end(child);
}

CASE(files_that_were_open_before_are_not_asked_about, "fanotify(7)")
{
	int fd, early;
	char byte;

	NEEDS_ROOT();
	put_file("file", "text");
	early = CHECK_OK(open("file", O_RDONLY));
	fd = group(FAN_CLASS_CONTENT);
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD, FAN_ACCESS_PERM, AT_FDCWD, "file"));
	CHECK_EQ(read(early, &byte, 1), 1);
}

CASE(a_refusal_can_have_an_errno_for_pre_content_groups, "fanotify(7)")
{
	static const int allowed[] = { EPERM, EIO, EBUSY, ETXTBSY, EAGAIN, ENOSPC, EDQUOT };
	struct asked *asked = shared_record();
	int fd = group(FAN_CLASS_PRE_CONTENT);
	pid_t child;

	put_file("file", "text");
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "file"));
	for (int i = 0; i < 7; i++)
		asked->responses[i] = DENY_WITH(allowed[i]);
	child = answer_all(fd, asked);
	for (int i = 0; i < 7; i++)
		CHECK_ERR(open("file", O_RDONLY), allowed[i]);
	end(child);
}

CASE(responses_are_checked, "fanotify(7)")
{
	struct {
		struct fanotify_response response;
		unsigned char info[16];
	} long_one = { { -1, FAN_ALLOW | 0x20 }, { 1, 0, 16 } };
	struct fanotify_response response = { 99, FAN_ALLOW };
	int fd = group(FAN_CLASS_CONTENT), before = group(FAN_CLASS_PRE_CONTENT), plain = group(FAN_CLASS_NOTIF);

	CHECK_ERR(write(plain, &response, sizeof(response)), ENOENT);
	CHECK_ERR(write(fd, &response, sizeof(response)), ENOENT);
	CHECK_ERR(write(fd, &response, sizeof(response) - 1), EINVAL);
	response.response = 0;
	CHECK_ERR(write(fd, &response, sizeof(response)), EINVAL);
	response.response = FAN_ALLOW | FAN_DENY;
	CHECK_ERR(write(fd, &response, sizeof(response)), EINVAL);
	response.response = FAN_ALLOW | FAN_AUDIT;
	CHECK_ERR(write(fd, &response, sizeof(response)), EINVAL);
	response.response = DENY_WITH(EIO);
	CHECK_ERR(write(fd, &response, sizeof(response)), EINVAL);
	CHECK_ERR(write(before, &response, sizeof(response)), ENOENT);
	response.response = DENY_WITH(ENOENT);
	CHECK_ERR(write(before, &response, sizeof(response)), EINVAL);
	response.response = FAN_ALLOW | EIO << 24;
	CHECK_ERR(write(before, &response, sizeof(response)), EINVAL);
	response = (struct fanotify_response){ -1, FAN_ALLOW };
	CHECK_ERR(write(fd, &response, sizeof(response)), EINVAL);
	CHECK_EQ(write(fd, &long_one, sizeof(long_one)), sizeof(long_one));
	long_one.info[2] = 15;
	CHECK_ERR(write(fd, &long_one, sizeof(long_one)), EINVAL);
}

CASE(only_files_and_directories_are_told_of_by_descriptor, "fanotify(7)")
{
	struct fanotify_event_metadata event;
	int fd = group(FAN_CLASS_NOTIF | FAN_NONBLOCK);

	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE, AT_FDCWD, "fifo"));
	CHECK_OK(close(CHECK_OK(open("fifo", O_RDWR))));
	CHECK_ERR(read(fd, &event, sizeof(event)), EAGAIN);
}

CASE(some_masks_are_not_for_every_file_system, "fanotify_mark(2)")
{
	int fd = group(FAN_CLASS_CONTENT), before = group(FAN_CLASS_PRE_CONTENT);

	PRIVATE_MOUNTS();
	put_file("file", "");
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "/proc/self/status"), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN_PERM, AT_FDCWD, "/proc"), EINVAL);
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "/proc/self/status"));
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_PRE_ACCESS, AT_FDCWD, "file"), EINVAL);
	CHECK_ERR(fanotify_mark(before, FAN_MARK_ADD, FAN_PRE_ACCESS, AT_FDCWD, "file"), EOPNOTSUPP);
	CHECK_ERR(fanotify_mark(before, FAN_MARK_ADD, FAN_PRE_ACCESS | FAN_ONDIR, AT_FDCWD, "."), EINVAL);
}

CASE(errors_are_told_in_place_of_descriptors, "fanotify_init(2)")
{
	struct { struct fanotify_event_metadata event; char rest[200]; } told;
	int fd = group(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_REPORT_FD_ERROR | FAN_REPORT_FID);
	struct rlimit none = { 0, 1024 };
	int writer;

	put_file("file", "");
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "file"));
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK(read(fd, &told, sizeof(told)) > 0);
	CHECK_EQ(told.event.fd, -EBADF);
	CHECK_OK(close(fd));
	writer = CHECK_OK(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_REPORT_FD_ERROR, O_RDWR));
	CHECK_OK(fanotify_mark(writer, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "/proc"));
	CHECK_OK(close(CHECK_OK(open("/proc/version", O_RDONLY))));
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
	/* Room for one event: others may open something in /proc as well. */
	CHECK_EQ(read(writer, &told, sizeof(told.event)), sizeof(told.event));
	CHECK_EQ(told.event.fd, -EMFILE);
}

static void nothing(int signo)
{
	(void)signo;
}

CASE(who_is_asked_about_waits_through_signals_but_not_through_death, "fanotify(7)")
{
	struct fanotify_event_metadata event;
	struct fanotify_response response = { 0, FAN_ALLOW };
	int fd = group(FAN_CLASS_CONTENT), status;
	pid_t child;

	put_file("file", "text");
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "file"));
	child = CHECK_OK(fork());
	if (child == 0) {
		struct sigaction action = { .sa_handler = nothing };

		sigaction(SIGUSR1, &action, NULL);
		_exit(open("file", O_RDONLY) == -1);
	}
	CHECK_EQ(read(fd, &event, sizeof(event)), sizeof(event));
	CHECK_OK(kill(child, SIGUSR1));
	usleep(50000);
	response.fd = event.fd;
	CHECK_EQ(write(fd, &response, sizeof(response)), sizeof(response));
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	child = CHECK_OK(fork());
	if (child == 0)
		_exit(open("file", O_RDONLY) == -1);
	usleep(100000);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(fd, &event, sizeof(event)), EAGAIN);
}
