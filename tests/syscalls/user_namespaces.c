/* User namespaces: maps of ids, capabilities inside and outside, limits. */
#include "harness.h"
#include "fixtures.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define OVERFLOW 65534

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), error;
	ssize_t done;

	if (fd < 0)
		return -1;
	done = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return done == (ssize_t)strlen(text) ? 0 : -1;
}

static void become_nobody(void)
{
	if (geteuid() == 0) {
		CHECK_OK(chmod(".", 0777));
		CHECK_OK(syscall(SYS_setgroups, 0, NULL));
		CHECK_OK(syscall(SYS_setresgid, OVERFLOW, OVERFLOW, OVERFLOW));
		CHECK_OK(syscall(SYS_setresuid, OVERFLOW, OVERFLOW, OVERFLOW));
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	}
}

/* The text of a map in which the ids inside begin at `inside`, the `count` ones outside at `outside`. */
static const char *map_of(unsigned inside, unsigned outside, unsigned count)
{
	static char line[64];

	snprintf(line, sizeof(line), "%u %u %u\n", inside, outside, count);
	return line;
}

/* A new user namespace in which the caller is root. */
static void become_root_inside(void)
{
	unsigned uid = geteuid(), gid = getegid();

	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_OK(write_to("/proc/self/setgroups", "deny"));
	CHECK_OK(write_to("/proc/self/uid_map", map_of(0, uid, 1)));
	CHECK_OK(write_to("/proc/self/gid_map", map_of(0, gid, 1)));
}

static uint64_t effective(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	CHECK_OK(syscall(SYS_capget, &header, data));
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

CASE(ids_without_a_map_are_shown_as_the_overflow_id, "user_namespaces(7)")
{
	unsigned real, euid, saved;
	struct stat st;

	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_EQ(syscall(SYS_getuid), OVERFLOW);
	CHECK_EQ(syscall(SYS_geteuid), OVERFLOW);
	CHECK_EQ(syscall(SYS_getgid), OVERFLOW);
	CHECK_EQ(syscall(SYS_getegid), OVERFLOW);
	CHECK_OK(syscall(SYS_getresuid, &real, &euid, &saved));
	CHECK_EQ(real, OVERFLOW);
	CHECK_EQ(saved, OVERFLOW);
	CHECK_OK(stat("/", &st));
	CHECK_EQ(st.st_uid, OVERFLOW);
	CHECK_EQ(st.st_gid, OVERFLOW);
	CHECK_OK(lstat("/", &st));
	CHECK_EQ(st.st_uid, OVERFLOW);
}

CASE(maker_has_every_capability_inside, "user_namespaces(7)")
{
	become_nobody();
	CHECK_EQ(effective(), 0);
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK((effective() & 0x1fffeffffff) == 0x1fffeffffff);
	CHECK_EQ(prctl(PR_GET_SECUREBITS), 0);
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN), 1);
}

CASE(capabilities_inside_do_not_count_outside, "user_namespaces(7)")
{
	become_nobody();
	become_root_inside();
	CHECK_ERR(sethostname("x", 1), EPERM);
	CHECK_ERR(mknod("device", S_IFCHR | 0600, 0x103), EPERM);
	CHECK_OK(unshare(CLONE_NEWUTS));
	CHECK_OK(sethostname("x", 1));
}

CASE(own_id_may_be_mapped_without_privilege, "user_namespaces(7)")
{
	char line[64];

	become_nobody();
	snprintf(line, sizeof(line), "%10u %10u %10u\n", 0, geteuid(), 1);
	become_root_inside();
	CHECK_EQ(syscall(SYS_getuid), 0);
	CHECK_EQ(syscall(SYS_getegid), 0);
	CHECK_STREQ(text_of("/proc/self/uid_map"), line);
	CHECK_STREQ(text_of("/proc/self/setgroups"), "deny\n");
}

CASE(map_is_written_once, "user_namespaces(7)")
{
	unsigned uid, gid;

	become_nobody();
	uid = geteuid();
	gid = getegid();
	become_root_inside();
	CHECK_ERR(write_to("/proc/self/uid_map", map_of(0, uid, 1)), EPERM);
	CHECK_ERR(write_to("/proc/self/gid_map", map_of(0, gid, 1)), EPERM);
}

CASE(gid_map_needs_setgroups_denied, "user_namespaces(7)")
{
	unsigned gid;

	become_nobody();
	gid = getegid();
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_ERR(write_to("/proc/self/gid_map", map_of(0, gid, 1)), EPERM);
	CHECK_OK(write_to("/proc/self/setgroups", "deny"));
	CHECK_ERR(write_to("/proc/self/setgroups", "allow"), EPERM);
	CHECK_OK(write_to("/proc/self/gid_map", map_of(0, gid, 1)));
	CHECK_ERR(setgroups(0, NULL), EPERM);
}

CASE(setgroups_can_not_be_denied_after_the_gid_map, "user_namespaces(7)")
{
	pid_t child;
	int go[2], ready[2];
	char path[64], byte;

	NEEDS_ROOT();
	CHECK_OK(pipe(go));
	CHECK_OK(pipe(ready));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(unshare(CLONE_NEWUSER));
		CHECK_EQ(write(ready[1], "x", 1), 1);
		CHECK_EQ(read(go[0], &byte, 1), 1);
		CHECK_ERR(write_to("/proc/self/setgroups", "deny"), EPERM);
		CHECK_OK(write_to("/proc/self/setgroups", "allow"));
		CHECK_EQ(syscall(SYS_getgid), 0);
		CHECK_OK(syscall(SYS_setgroups, 1, (gid_t[]){ 5 }));
		CHECK_ERR(syscall(SYS_setgroups, 1, (gid_t[]){ 500 }), EINVAL);
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", child);
	CHECK_OK(write_to(path, "0 0 10\n20 100000 10\n"));
	snprintf(path, sizeof(path), "/proc/%d/uid_map", child);
	CHECK_OK(write_to(path, "0 0 10"));
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(wait_status(child), 0);
}

CASE(other_ids_need_privilege_to_be_mapped, "user_namespaces(7)")
{
	char two[64];
	unsigned uid;

	become_nobody();
	uid = geteuid();
	snprintf(two, sizeof(two), "0 %u 1\n1 1 1\n", uid);
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_ERR(write_to("/proc/self/uid_map", "0 0 1"), EPERM);
	CHECK_ERR(write_to("/proc/self/uid_map", map_of(0, uid, 2)), EPERM);
	CHECK_ERR(write_to("/proc/self/uid_map", two), EPERM);
	CHECK_OK(write_to("/proc/self/uid_map", map_of(7, uid, 1)));
	CHECK_EQ(syscall(SYS_getuid), 7);
}

CASE(malformed_map_gives_EINVAL, "user_namespaces(7)")
{
	static const char *const bad[] = {
		"", "0", "0 0", "x 0 1", "0 0 1 1", "0 0 0", "0 0 1\n0 1 1", "0 0 2\n5 1 1", "-1 0 1",
		"4294967295 0 1", "0 0 1\n\n", "0 1 4294967295",
	};

	NEEDS_ROOT();
	CHECK_OK(unshare(CLONE_NEWUSER));
	for (size_t i = 1; i < sizeof(bad) / sizeof(*bad); i++) {
		errno = 0;
		if (write_to("/proc/self/uid_map", bad[i]) == 0)
			FAIL("\"%s\" is taken", bad[i]);
		if (errno != EINVAL)
			FAIL("\"%s\": %s", bad[i], errno_name(errno));
	}
}

CASE(map_must_be_written_at_offset_0, "user_namespaces(7)")
{
	const char *map;
	int fd;

	become_nobody();
	map = map_of(0, geteuid(), 1);
	CHECK_OK(unshare(CLONE_NEWUSER));
	fd = CHECK_OK(open("/proc/self/uid_map", O_WRONLY));
	CHECK_EQ(write(fd, map, strlen(map)), strlen(map));
	CHECK_ERR(write(fd, map, strlen(map)), EINVAL);
	close(fd);
}

CASE(setgroups_takes_only_its_words, "user_namespaces(7)")
{
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_STREQ(text_of("/proc/self/setgroups"), "allow\n");
	CHECK_ERR(write_to("/proc/self/setgroups", "no"), EINVAL);
	CHECK_ERR(write_to("/proc/self/setgroups", "denyx"), EINVAL);
	CHECK_ERR(write_to("/proc/self/setgroups", "deny     "), EINVAL);
	CHECK_OK(write_to("/proc/self/setgroups", "deny\n"));
}

CASE(ids_without_a_meaning_can_not_be_taken, "user_namespaces(7)")
{
	become_nobody();
	become_root_inside();
	CHECK_ERR(syscall(SYS_setuid, 1), EINVAL);
	CHECK_ERR(syscall(SYS_setresuid, -1, 5, -1), EINVAL);
	CHECK_ERR(syscall(SYS_setreuid, 5, -1), EINVAL);
	CHECK_ERR(syscall(SYS_setgid, 1), EINVAL);
	CHECK_OK(syscall(SYS_setuid, 0));
	CHECK_EQ(syscall(SYS_setfsuid, 3), 0);
	CHECK_EQ(syscall(SYS_setfsuid, -1), 0);
	CHECK_EQ(syscall(SYS_setfsgid, 3), 0);
	put_file("file", "");
	CHECK_ERR(chown("file", 1, -1), EINVAL);
	CHECK_OK(chown("file", 0, 0));
}

CASE(files_are_seen_with_mapped_ids, "user_namespaces(7)")
{
	struct stat st;
	struct statx stx;
	int fd;

	NEEDS_ROOT();
	put_file("theirs", "");
	CHECK_OK(chown("theirs", 1234, 1234));
	CHECK_OK(chmod(".", 0777));
	fd = CHECK_OK(open("theirs", O_RDONLY));
	become_root_inside();
	CHECK_OK(stat("theirs", &st));
	CHECK_EQ(st.st_uid, OVERFLOW);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_gid, OVERFLOW);
	CHECK_OK(statx(AT_FDCWD, "theirs", 0, STATX_BASIC_STATS, &stx));
	CHECK_EQ(stx.stx_uid, OVERFLOW);
	put_file("mine", "");
	CHECK_OK(stat("mine", &st));
	CHECK_EQ(st.st_uid, 0);
	CHECK_OK(chown("mine", 0, 0));
	CHECK_ERR(chown("theirs", 0, 0), EPERM);
	CHECK_ERR(chmod("theirs", 0600), EPERM);
	close(fd);
}

CASE(capability_over_a_file_needs_its_owner_mapped, "user_namespaces(7)")
{
	NEEDS_ROOT();
	put_file("theirs", "");
	CHECK_OK(chown("theirs", 1234, 1234));
	CHECK_OK(chmod("theirs", 0600));
	CHECK_OK(chmod(".", 0777));
	become_root_inside();
	CHECK_ERR(open("theirs", O_RDONLY), EACCES);
}

CASE(unshare_of_a_user_namespace_in_a_chroot_gives_EPERM, "user_namespaces(7)")
{
	NEEDS_ROOT();
	CHECK_OK(chroot("."));
	CHECK_ERR(unshare(CLONE_NEWUSER), EPERM);
}

static int in_thread(void *unused)
{
	(void)unused;
	pause();
	return 0;
}

CASE(process_with_threads_can_not_change_its_user_namespace, "unshare(2)")
{
	char *stack = map_pages(4, MAP_PRIVATE);
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

	CHECK_OK(clone(in_thread, stack + 4 * PAGE, flags, NULL));
	CHECK_ERR(unshare(CLONE_NEWUSER), EINVAL);
	CHECK_ERR(unshare(CLONE_VM), EINVAL);
	CHECK_ERR(unshare(CLONE_SIGHAND), EINVAL);
	CHECK_ERR(unshare(CLONE_THREAD), EINVAL);
}

CASE(flags_that_exclude_a_user_namespace, "clone(2)")
{
	CHECK_ERR(syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(unshare(0x1), EINVAL);
}

CASE(ids_must_be_mapped_before_the_next_namespace, "user_namespaces(7)")
{
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_ERR(unshare(CLONE_NEWUSER), EPERM); /* our ids mean nothing in the parent */
}

CASE(thirty_three_levels_and_no_more, "user_namespaces(7)")
{
	int depth;

	NEEDS_ROOT();
	for (depth = 0; depth < 40; depth++) {
		if (unshare(CLONE_NEWUSER) != 0)
			break;
		CHECK_OK(write_to("/proc/self/uid_map", "0 0 1"));
		CHECK_OK(write_to("/proc/self/setgroups", "deny") == 0 || errno == EPERM ? 0 : -1);
		CHECK_OK(write_to("/proc/self/gid_map", "0 0 1"));
	}
	CHECK_EQ(errno, ENOSPC);
	CHECK(depth >= 30 && depth <= 33);
}

CASE(limit_of_namespaces_gives_ENOSPC, "namespaces(7)")
{
	NEEDS_ROOT();
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_OK(write_to("/proc/self/uid_map", "0 0 1"));
	CHECK_OK(write_to("/proc/self/setgroups", "deny"));
	CHECK_OK(write_to("/proc/self/gid_map", "0 0 1"));
	CHECK_OK(write_to("/proc/sys/user/max_uts_namespaces", "1"));
	CHECK_STREQ(text_of("/proc/sys/user/max_uts_namespaces"), "1\n");
	CHECK_OK(unshare(CLONE_NEWUTS));
	CHECK_OK(unshare(CLONE_NEWUTS) == 0 || errno == ENOSPC ? 0 : -1);
	CHECK_OK(write_to("/proc/sys/user/max_uts_namespaces", "0"));
	CHECK_ERR(unshare(CLONE_NEWUTS), ENOSPC);
	CHECK_ERR(write_to("/proc/sys/user/max_uts_namespaces", "-1"), EINVAL);
}

CASE(peer_credentials_are_translated, "user_namespaces(7)")
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int pair[2];

	become_nobody();
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	become_root_inside();
	CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
	CHECK_EQ(peer.uid, 0);
	CHECK_EQ(peer.gid, 0);
	CHECK_EQ(peer.pid, getpid());
}

CASE(child_of_clone_is_in_the_new_namespace, "clone(2)")
{
	pid_t child;

	become_nobody();
	child = CHECK_OK(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	if (child == 0) {
		CHECK_EQ(syscall(SYS_getuid), OVERFLOW);
		CHECK(effective() != 0);
		CHECK_OK(unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWCGROUP));
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK_EQ(effective(), 0);
}

CASE(other_namespaces_may_be_made_together_with_a_user_namespace, "unshare(2)")
{
	become_nobody();
	CHECK_ERR(unshare(CLONE_NEWUTS), EPERM);
	CHECK_ERR(unshare(CLONE_NEWNS), EPERM);
	CHECK_ERR(unshare(CLONE_NEWPID), EPERM);
	CHECK_OK(unshare(CLONE_NEWUSER | CLONE_NEWUTS));
	CHECK_OK(sethostname("inside", 6));
}

CASE(signal_tells_the_sender_as_the_receiver_sees_it, "user_namespaces(7)")
{
	siginfo_t info;
	sigset_t set;
	pid_t child, parent = getpid();
	struct timespec limit = { .tv_sec = 10 };

	NEEDS_ROOT();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(unshare(CLONE_NEWUSER));
		CHECK_OK(kill(parent, SIGUSR1));
		CHECK_EQ(sigtimedwait(&set, &info, &limit), SIGUSR1);
		CHECK_EQ(info.si_uid, OVERFLOW);
		_exit(0);
	}
	CHECK_EQ(sigtimedwait(&set, &info, &limit), SIGUSR1);
	CHECK_EQ(info.si_uid, OVERFLOW); /* it has no id there */
	CHECK_OK(kill(child, SIGUSR1));
	CHECK_EQ(wait_status(child), 0);
}

CASE(queued_signal_that_claims_no_id_is_told_as_the_overflow_id, "rt_sigqueueinfo(2)")
{
	siginfo_t info = { .si_code = SI_QUEUE };
	sigset_t set;
	pid_t child, parent = getpid();
	struct timespec limit = { .tv_sec = 10 };

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(unshare(CLONE_NEWUSER));
		info.si_uid = (uid_t)-1;
		CHECK_OK(syscall(SYS_rt_sigqueueinfo, parent, SIGUSR1, &info));
		_exit(0);
	}
	CHECK_EQ(sigtimedwait(&set, &info, &limit), SIGUSR1);
	CHECK_EQ(info.si_uid, OVERFLOW);
	CHECK_EQ(wait_status(child), 0);
}

CASE(projid_map_needs_no_capability, "user_namespaces(7)")
{
	become_nobody();
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_OK(write_to("/proc/self/projid_map", "0 0 10"));
	CHECK_STREQ(text_of("/proc/self/projid_map"), "         0          0         10\n");
	CHECK_ERR(write_to("/proc/self/projid_map", "0 0 10"), EPERM);
}
