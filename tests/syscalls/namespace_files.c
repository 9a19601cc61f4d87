/* Files that stand for namespaces, setns(2), and the namespaces of host names. */
#include "harness.h"
#include "fixtures.h"

#include <linux/nsfs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#define NSFS_MAGIC 0x6e736673

static const char *link_of(const char *path)
{
	static char texts[4][64];
	static int next;
	char *text = texts[next++ % 4];
	ssize_t length = CHECK_OK(readlink(path, text, 63));

	text[length] = '\0';
	return text;
}

static int opened(const char *path)
{
	return CHECK_OK(open(path, O_RDONLY | O_CLOEXEC));
}

static int pidfd_of(pid_t pid)
{
	return CHECK_OK(syscall(SYS_pidfd_open, pid, 0));
}

static const char *path_of(pid_t pid, const char *kind)
{
	static char texts[2][64];
	static int next;
	char *text = texts[next++ % 2];

	snprintf(text, 64, "/proc/%d/ns/%s", pid, kind);
	return text;
}

/* A child in new namespaces, with this host name unless it is NULL, that sleeps until end_child. */
static pid_t child_within(int kinds, const char *name)
{
	int ready[2];
	pid_t child;

	CHECK_OK(pipe(ready));
	child = CHECK_OK(syscall(SYS_clone, (kinds & CLONE_NEWPID) | SIGCHLD, 0, 0, 0, 0));
	if (child == 0) {
		CHECK_OK(unshare(kinds & ~CLONE_NEWPID));
		if (name)
			CHECK_OK(sethostname(name, strlen(name)));
		tell(ready[1]);
		for (;;)
			pause();
	}
	await(ready[0]);
	return child;
}

CASE(link_names_kind_and_inode, "namespaces(7)")
{
	static const char *const kinds[] = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" };
	char path[64], expected[64];
	struct stat st;
	struct statfs fs;

	for (size_t i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		CHECK_OK(stat(path, &st));
		snprintf(expected, sizeof(expected), "%s:[%lu]", kinds[i], st.st_ino);
		CHECK_STREQ(link_of(path), expected);
		CHECK_EQ(st.st_mode, S_IFREG | 0444);
		CHECK_EQ(st.st_uid, 0);
	}
	CHECK_OK(statfs("/proc/self/ns/uts", &fs));
	CHECK_EQ(fs.f_type, NSFS_MAGIC);
	CHECK_OK(lstat("/proc/self/ns/uts", &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_STREQ(link_of("/proc/self/ns/pid_for_children"), link_of("/proc/self/ns/pid"));
}

CASE(initial_namespaces_have_known_numbers, "namespaces(7)")
{
	if (strcmp(link_of("/proc/self/ns/user"), "user:[4026531837]") != 0)
		SKIP("not in the initial namespaces");
	CHECK(strncmp(link_of("/proc/self/ns/time"), "time:[", 6) == 0);
	CHECK_STREQ(link_of("/proc/self/ns/time"), "time:[4026531834]");
}

CASE(unshare_gives_another_namespace_and_setns_the_old_one, "setns(2)")
{
	char before[64];
	struct utsname name, old;
	int fd = opened("/proc/self/ns/uts");

	NEEDS_ROOT();
	strcpy(before, link_of("/proc/self/ns/uts"));
	CHECK_OK(uname(&old));
	CHECK_OK(unshare(CLONE_NEWUTS));
	CHECK(strcmp(before, link_of("/proc/self/ns/uts")) != 0);
	CHECK_OK(uname(&name));
	CHECK_STREQ(name.nodename, old.nodename);
	CHECK_OK(sethostname("other", 5));
	CHECK_OK(setdomainname("domain", 6));
	CHECK_OK(uname(&name));
	CHECK_STREQ(name.nodename, "other");
	CHECK_STREQ(text_of("/proc/sys/kernel/hostname"), "other\n");
	CHECK_STREQ(text_of("/proc/sys/kernel/domainname"), "domain\n");
	CHECK_OK(setns(fd, CLONE_NEWUTS));
	CHECK_STREQ(link_of("/proc/self/ns/uts"), before);
	CHECK_OK(uname(&name));
	CHECK_STREQ(name.nodename, old.nodename);
	CHECK_OK(setns(fd, 0));
	close(fd);
}

static int polled(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = ~0 };

	CHECK_OK(poll(&poll_fd, 1, 0));
	return poll_fd.revents;
}

CASE(poll_tells_once_that_a_name_was_set, "proc(5), /proc/sys/kernel/hostname")
{
	const int calm = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	const int changed = POLLIN | POLLRDNORM | POLLERR | POLLPRI;
	int host, domain;

	NEEDS_ROOT();
	CHECK_OK(unshare(CLONE_NEWUTS));
	host = CHECK_OK(open("/proc/sys/kernel/hostname", O_RDONLY));
	domain = CHECK_OK(open("/proc/sys/kernel/domainname", O_RDONLY));
	CHECK_EQ(polled(host), calm);
	CHECK_OK(sethostname("polled", 6));
	CHECK_EQ(polled(host), changed);
	CHECK_EQ(polled(host), calm);
	CHECK_EQ(polled(domain), calm);
	CHECK_OK(setdomainname("polled", 6));
	CHECK_EQ(polled(domain), changed);
	CHECK_EQ(polled(host), calm);
}

CASE(sethostname_checks_its_arguments, "sethostname(2)")
{
	char name[66];

	NEEDS_ROOT();
	CHECK_OK(unshare(CLONE_NEWUTS));
	memset(name, 'a', sizeof(name));
	CHECK_ERR(sethostname(name, 65), EINVAL);
	CHECK_OK(sethostname(name, 64));
	CHECK_ERR(syscall(SYS_sethostname, name, -1), EINVAL);
	CHECK_ERR(syscall(SYS_sethostname, unmapped(), 5), EFAULT);
	CHECK_OK(sethostname(name, 0));
	CHECK_OK(setdomainname("d", 1));
	CHECK_OK(setresuid(-1, 1000, -1));
	CHECK_ERR(sethostname("a", 1), EPERM);
	CHECK_ERR(setdomainname("a", 1), EPERM);
}

CASE(setns_refuses_what_is_no_namespace, "setns(2)")
{
	int fd = opened("/proc/self/ns/uts"), file = make_file("file", "");

	CHECK_ERR(setns(file, 0), EINVAL);
	CHECK_ERR(setns(-1, 0), EBADF);
	CHECK_ERR(setns(fd, CLONE_NEWIPC), EINVAL);
	CHECK_ERR(setns(fd, -1), EINVAL);
	close(fd);
	close(file);
}

CASE(setns_needs_capabilities, "setns(2)")
{
	static const char *const kinds[] = { "cgroup", "ipc", "mnt", "net", "pid", "uts" };
	char path[64];
	int fds[6];

	for (size_t i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		fds[i] = opened(path);
	}
	if (geteuid() == 0)
		CHECK_OK(setresuid(1000, 1000, 1000));
	for (size_t i = 0; i < 6; i++)
		CHECK_ERR(setns(fds[i], 0), EPERM);
}

CASE(own_user_namespace_can_not_be_entered_again, "setns(2)")
{
	int fd = opened("/proc/self/ns/user");

	CHECK_ERR(setns(fd, 0), EINVAL);
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_ERR(setns(fd, 0), EPERM); /* nor the one above */
	close(fd);
}

CASE(maker_may_enter_its_user_namespace_and_others_in_it, "setns(2)")
{
	int fd;
	pid_t child;

	NEEDS_ROOT();
	child = child_within(CLONE_NEWUSER | CLONE_NEWUTS, "within");
	fd = opened(path_of(child, "user"));
	pid_t second = fork_child();
	if (second == 0) {
		struct utsname name;
		int pidfd = pidfd_of(child);

		CHECK_OK(setns(fd, CLONE_NEWUSER));
		CHECK_EQ(syscall(SYS_getuid), 65534);
		CHECK_OK(setns(pidfd, CLONE_NEWUTS));
		CHECK_OK(uname(&name));
		CHECK_STREQ(name.nodename, "within");
		_exit(0);
	}
	CHECK_EQ(wait_status(second), 0);
	end_child(child);
	close(fd);
}

CASE(pidfd_takes_several_kinds_at_once, "setns(2)")
{
	int pidfd;
	pid_t child;

	NEEDS_ROOT();
	child = child_within(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET, NULL);
	pidfd = pidfd_of(child);
	CHECK_ERR(setns(pidfd, 0), EINVAL);
	CHECK_ERR(setns(pidfd, CLONE_NEWUTS | CLONE_VM), EINVAL);
	CHECK_OK(setns(pidfd, CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET));
	CHECK_STREQ(link_of("/proc/self/ns/ipc"), link_of(path_of(child, "ipc")));
	CHECK_STREQ(link_of("/proc/self/ns/net"), link_of(path_of(child, "net")));
	end_child(child);
	CHECK_ERR(setns(pidfd, CLONE_NEWUTS), ESRCH);
	close(pidfd);
}

CASE(pid_namespace_is_entered_by_children, "setns(2)")
{
	int fd;
	pid_t init, child, self = getpid();

	NEEDS_ROOT();
	init = child_within(CLONE_NEWPID, NULL);
	fd = opened(path_of(init, "pid"));
	CHECK_OK(setns(fd, CLONE_NEWPID));
	CHECK_EQ(getpid(), self);
	CHECK_STREQ(link_of("/proc/self/ns/pid_for_children"), link_of(path_of(init, "pid")));
	child = fork_child();
	if (child == 0)
		_exit(getpid() == 2 && getppid() == 0 ? 0 : 1);
	CHECK_EQ(wait_status(child), 0);
	end_child(init);
	close(fd);
}

CASE(pid_namespace_above_can_not_be_entered, "setns(2)")
{
	int fd = opened("/proc/self/ns/pid");
	pid_t init;

	NEEDS_ROOT();
	init = CHECK_OK(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
	if (init == 0) {
		CHECK_ERR(setns(fd, 0), EINVAL);
		_exit(0);
	}
	CHECK_EQ(wait_status(init), 0);
	close(fd);
}

CASE(open_file_keeps_the_namespace, "namespaces(7)")
{
	struct utsname name;
	int fd;
	pid_t child;

	NEEDS_ROOT();
	child = child_within(CLONE_NEWUTS, "kept");
	fd = opened(path_of(child, "uts"));
	end_child(child);
	CHECK_OK(setns(fd, CLONE_NEWUTS));
	CHECK_OK(uname(&name));
	CHECK_STREQ(name.nodename, "kept");
	close(fd);
}

CASE(namespace_file_can_be_mounted, "namespaces(7)")
{
	char before[64];
	struct stat one, two;
	int fd;

	NEEDS_ROOT();
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	put_file("handle", "");
	CHECK_OK(unshare(CLONE_NEWUTS));
	strcpy(before, link_of("/proc/self/ns/uts"));
	CHECK_OK(mount("/proc/self/ns/uts", "handle", NULL, MS_BIND, NULL));
	CHECK_OK(stat("/proc/self/ns/uts", &one));
	CHECK_OK(stat("handle", &two));
	CHECK_EQ(one.st_ino, two.st_ino);
	CHECK_EQ(one.st_dev, two.st_dev);
	CHECK(strstr(text_of("/proc/self/mountinfo"), "/handle rw"));
	CHECK(strstr(text_of("/proc/self/mountinfo"), " - nsfs nsfs rw"));
	CHECK_ERR(mount("/proc/self/ns/mnt", "handle", NULL, MS_BIND, NULL), EINVAL);
	CHECK_OK(unshare(CLONE_NEWUTS));
	fd = opened("handle");
	CHECK_OK(setns(fd, CLONE_NEWUTS));
	CHECK_STREQ(link_of("/proc/self/ns/uts"), before);
	close(fd);
	CHECK_OK(umount("handle"));
}

CASE(questions_about_a_namespace, "ioctl_nsfs(2)")
{
	int fd = opened("/proc/self/ns/uts"), user = opened("/proc/self/ns/user"), file = make_file("file", "");
	unsigned uid;
	struct stat one, two;
	int owner;

	CHECK_EQ(ioctl(fd, NS_GET_NSTYPE), CLONE_NEWUTS);
	CHECK_EQ(ioctl(user, NS_GET_NSTYPE), CLONE_NEWUSER);
	CHECK_ERR(ioctl(fd, NS_GET_PARENT), EINVAL);
	CHECK_ERR(ioctl(fd, NS_GET_OWNER_UID, &uid), EINVAL);
	CHECK_ERR(ioctl(fd, 0x1234), ENOTTY);
	CHECK_ERR(ioctl(file, NS_GET_NSTYPE), ENOTTY);
	owner = CHECK_OK(ioctl(fd, NS_GET_USERNS));
	CHECK_OK(fstat(owner, &one));
	CHECK_OK(fstat(user, &two));
	CHECK_EQ(one.st_ino, two.st_ino);
	CHECK_EQ(fcntl(owner, F_GETFD), FD_CLOEXEC);
	close(owner);
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_ERR(ioctl(fd, NS_GET_USERNS), EPERM);
	close(user);
	user = opened("/proc/self/ns/user");
	CHECK_OK(ioctl(user, NS_GET_OWNER_UID, &uid));
	CHECK_EQ(uid, 65534);
	CHECK_ERR(ioctl(user, NS_GET_PARENT), EPERM);
	close(fd);
	close(user);
	close(file);
}

CASE(parent_and_owner_of_a_user_namespace, "ioctl_nsfs(2)")
{
	int fd, parent, mine = opened("/proc/self/ns/user");
	struct stat one, two;
	unsigned uid = 1;
	pid_t child;

	child = child_within(CLONE_NEWUSER, NULL);
	fd = opened(path_of(child, "user"));
	parent = CHECK_OK(ioctl(fd, NS_GET_PARENT));
	CHECK_OK(fstat(parent, &one));
	CHECK_OK(fstat(mine, &two));
	CHECK_EQ(one.st_ino, two.st_ino);
	CHECK_OK(ioctl(fd, NS_GET_OWNER_UID, &uid));
	CHECK_EQ(uid, geteuid());
	end_child(child);
	close(fd);
	close(parent);
	close(mine);
}

CASE(pids_are_translated_between_namespaces, "ioctl_nsfs(2)")
{
	int fd;
	pid_t init;

	NEEDS_ROOT();
	init = child_within(CLONE_NEWPID, NULL);
	fd = opened(path_of(init, "pid"));
	if (ioctl(fd, _IOR(NSIO, 0x6, int), 1) == -1 && errno == ENOTTY)
		SKIP("an older kernel");
	CHECK_EQ(ioctl(fd, _IOR(NSIO, 0x6, int), 1), init);
	CHECK_EQ(ioctl(fd, _IOR(NSIO, 0x7, int), 1), init);
	CHECK_EQ(ioctl(fd, _IOR(NSIO, 0x8, int), init), 1);
	CHECK_EQ(ioctl(fd, _IOR(NSIO, 0x9, int), init), 1);
	CHECK_ERR(ioctl(fd, _IOR(NSIO, 0x6, int), 5), ESRCH);
	CHECK_ERR(ioctl(fd, _IOR(NSIO, 0x8, int), getpid()), ESRCH);
	end_child(init);
	close(fd);
}

CASE(mount_namespace_moves_root_and_working_directory, "mount_namespaces(7)")
{
	int fd = opened("/proc/self/ns/mnt");
	char cwd[4096];

	NEEDS_ROOT();
	CHECK_OK(mkdir("place", 0755));
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mount("none", "place", "tmpfs", 0, NULL));
	put_file("place/within", "");
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_OK(setns(fd, CLONE_NEWNS));
	CHECK_STREQ(getcwd((char[4096]){ 0 }, 4096), "/");
	CHECK_OK(chdir(cwd));
	CHECK_ERR(access("place/within", F_OK), ENOENT);
	close(fd);
}

static int wait_in_thread(void *unused)
{
	(void)unused;
	pause();
	return 0;
}

CASE(shared_root_can_not_change_its_mount_namespace, "setns(2)")
{
	int fd = opened("/proc/self/ns/mnt");
	char *stack = map_pages(4, MAP_PRIVATE);
	pid_t child;

	NEEDS_ROOT();
	child = CHECK_OK(clone(wait_in_thread, stack + 4 * PAGE, CLONE_FS | SIGCHLD, NULL));
	CHECK_ERR(setns(fd, CLONE_NEWNS), EINVAL);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(wait_status(child), SIGKILL);
	close(fd);
}

CASE(links_of_another_user_s_process_can_not_be_followed, "namespaces(7)")
{
	char path[64], text[64];

	NEEDS_ROOT();
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", getppid());
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(readlink(path, text, sizeof(text)), EACCES);
	CHECK_ERR(open(path, O_RDONLY), EACCES);
}

CASE(zombie_has_no_namespaces, "namespaces(7)")
{
	char path[64], text[64];
	siginfo_t info;
	pid_t child = fork_child();

	if (child == 0)
		_exit(0);
	CHECK_OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", child);
	errno = 0;
	CHECK_EQ(readlink(path, text, sizeof(text)), -1);
	CHECK(errno == ENOENT || errno == EACCES);
	CHECK_EQ(wait_status(child), 0);
}
