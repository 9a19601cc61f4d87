/* landlock(7): landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2). */
#include "harness.h"
#include "fixtures.h"

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
	EXECUTE = 1, WRITE_FILE = 2, READ_FILE = 4, READ_DIR = 8, REMOVE_DIR = 16, REMOVE_FILE = 32,
	MAKE_CHAR = 64, MAKE_DIR = 128, MAKE_REG = 256, MAKE_SOCK = 512, MAKE_FIFO = 1024, MAKE_BLOCK = 2048,
	MAKE_SYM = 4096, REFER = 8192, TRUNCATE = 16384, IOCTL_DEV = 32768, ALL = 65535,
};

struct attributes {
	uint64_t fs, net, scoped;
};

struct beneath {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

struct port {
	uint64_t allowed, port;
};

static int create(const struct attributes *attributes, size_t size, int flags)
{
	return syscall(444, attributes, size, flags);
}

static int add(int ruleset, int type, const void *rule, int flags)
{
	return syscall(445, ruleset, type, rule, flags);
}

static int restrict_self(int ruleset, int flags)
{
	return syscall(446, ruleset, flags);
}

static int ruleset_of(uint64_t fs)
{
	struct attributes attributes = { fs, 0, 0 };
	int fd;

	if (create(NULL, 0, 1) < 7)
		SKIP("Landlock is not there, or old");
	fd = CHECK_OK(create(&attributes, sizeof(attributes), 0));
	return fd;
}

static void allow(int ruleset, const char *path, uint64_t rights)
{
	struct beneath rule = { rights, CHECK_OK(open(path, O_PATH)) };

	CHECK_OK(add(ruleset, 1, &rule, 0));
	CHECK_OK(close(rule.parent));
}

static void enforce(int ruleset)
{
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_OK(restrict_self(ruleset, 0));
	CHECK_OK(close(ruleset));
}

CASE(version_is_asked_for_with_a_flag, "landlock_create_ruleset(2)")
{
	struct attributes attributes = { ALL, 0, 0 };

	if (create(NULL, 0, 1) == -1)
		SKIP("no Landlock");
	CHECK(create(NULL, 0, 1) >= 7);
	CHECK_ERR(create(&attributes, 0, 1), EINVAL);
	CHECK_ERR(create(NULL, 8, 1), EINVAL);
	CHECK_ERR(create(NULL, 0, 4), EINVAL);
	CHECK_ERR(create(NULL, 0, 3), EINVAL);
}

CASE(ruleset_attributes_are_checked, "landlock_create_ruleset(2)")
{
	struct {
		struct attributes known;
		uint64_t more[4];
	} attributes = { { ALL, 0, 0 }, { 0 } };
	int fd;

	CHECK_OK(close(ruleset_of(ALL)));
	fd = CHECK_OK(create(&attributes.known, 8, 0));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(create(&attributes.known, sizeof(attributes), 0));
	CHECK_ERR(create(&attributes.known, 7, 0), EINVAL);
	CHECK_ERR(create(&attributes.known, 0, 0), EINVAL);
	CHECK_ERR(create(&attributes.known, 4097, 0), E2BIG);
	CHECK_ERR(create(unmapped(), 8, 0), EFAULT);
	attributes.more[0] = 1;
	CHECK_ERR(create(&attributes.known, sizeof(attributes), 0), E2BIG);
	attributes.known.fs = 0;
	CHECK_ERR(create(&attributes.known, sizeof(attributes.known), 0), ENOMSG);
	attributes.known.fs = 1ULL << 40;
	CHECK_ERR(create(&attributes.known, sizeof(attributes.known), 0), EINVAL);
	attributes.known = (struct attributes){ 0, 1ULL << 40, 0 };
	CHECK_ERR(create(&attributes.known, sizeof(attributes.known), 0), EINVAL);
	attributes.known = (struct attributes){ 0, 0, 1ULL << 40 };
	CHECK_ERR(create(&attributes.known, sizeof(attributes.known), 0), EINVAL);
	CHECK_ERR(read(fd, &attributes, 8), EINVAL);
	CHECK_ERR(write(fd, &attributes, 8), EINVAL);
}

CASE(rules_are_checked, "landlock_add_rule(2)")
{
	int ruleset = ruleset_of(READ_FILE | READ_DIR), ends[2];
	struct beneath rule = { READ_FILE, CHECK_OK(open(".", O_PATH)) };
	struct port port = { 1, 80 };

	CHECK_OK(add(ruleset, 1, &rule, 0));
	CHECK_ERR(add(ruleset, 1, &rule, 1), EINVAL);
	CHECK_ERR(add(ruleset, 3, &rule, 0), EINVAL);
	CHECK_ERR(add(ruleset, 0, &rule, 0), EINVAL);
	CHECK_ERR(add(ruleset, 1, unmapped(), 0), EFAULT);
	CHECK_ERR(add(999, 1, &rule, 0), EBADF);
	CHECK_ERR(add(rule.parent, 1, &rule, 0), EBADF);
	CHECK_ERR(add(CHECK_OK(open(".", O_RDONLY)), 1, &rule, 0), EBADFD);
	rule.allowed = 0;
	CHECK_ERR(add(ruleset, 1, &rule, 0), ENOMSG);
	rule.allowed = WRITE_FILE;
	CHECK_ERR(add(ruleset, 1, &rule, 0), EINVAL);
	rule.allowed = REFER;
	CHECK_ERR(add(ruleset, 1, &rule, 0), EINVAL);
	rule.allowed = READ_FILE;
	rule.parent = 999;
	CHECK_ERR(add(ruleset, 1, &rule, 0), EBADF);
	rule.parent = ruleset;
	CHECK_ERR(add(ruleset, 1, &rule, 0), EBADFD);
	CHECK_OK(pipe(ends));
	rule.parent = ends[0];
	CHECK_ERR(add(ruleset, 1, &rule, 0), EBADFD);
	rule.parent = make_file("file", "");
	CHECK_OK(add(ruleset, 1, &rule, 0));
	rule.allowed = READ_FILE | READ_DIR;
	CHECK_ERR(add(ruleset, 1, &rule, 0), EINVAL);
	CHECK_ERR(add(ruleset, 2, &port, 0), EINVAL);
}

CASE(port_rules_are_checked, "landlock_add_rule(2)")
{
	struct attributes attributes = { 0, 3, 0 };
	struct port port = { 1, 80 };
	int ruleset;

	CHECK_OK(close(ruleset_of(ALL)));
	ruleset = CHECK_OK(create(&attributes, sizeof(attributes), 0));
	CHECK_OK(add(ruleset, 2, &port, 0));
	port.port = 65536;
	CHECK_ERR(add(ruleset, 2, &port, 0), EINVAL);
	port = (struct port){ 4, 80 };
	CHECK_ERR(add(ruleset, 2, &port, 0), EINVAL);
	port.allowed = 0;
	CHECK_ERR(add(ruleset, 2, &port, 0), ENOMSG);
}

CASE(restriction_needs_no_new_privs_or_CAP_SYS_ADMIN, "landlock_restrict_self(2)")
{
	int ruleset = ruleset_of(ALL);

	if (geteuid() == 0)
		CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(restrict_self(ruleset, 0), EPERM);
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_ERR(restrict_self(ruleset, 1 << 20), EINVAL);
	CHECK_ERR(restrict_self(-1, 0), EBADF);
	CHECK_ERR(restrict_self(999, 0), EBADF);
	CHECK_ERR(restrict_self(1, 0), EBADFD);
	CHECK_OK(restrict_self(ruleset, 0));
}

CASE(what_is_handled_is_denied_unless_allowed, "landlock(7)")
{
	int ruleset = ruleset_of(ALL), before = make_file("before", "text"), fd;
	char byte;

	CHECK_OK(mkdir("free", 0700));
	put_file("free/file", "text");
	put_file("file", "text");
	allow(ruleset, "free", ALL);
	enforce(ruleset);
	CHECK_ERR(open("file", O_RDONLY), EACCES);
	CHECK_ERR(open("file", O_WRONLY), EACCES);
	CHECK_ERR(open(".", O_RDONLY), EACCES);
	CHECK_ERR(open("new", O_WRONLY | O_CREAT, 0600), EACCES);
	CHECK_OK(open("file", O_PATH));
	CHECK_OK(access("file", R_OK));
	CHECK_EQ(pread(before, &byte, 1, 0), 1);
	CHECK_OK(ftruncate(before, 1));
	fd = CHECK_OK(open("free/file", O_RDWR));
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_OK(close(CHECK_OK(open("free", O_RDONLY))));
	CHECK_OK(close(CHECK_OK(open("free/new", O_WRONLY | O_CREAT, 0600))));
}

CASE(changes_of_names_need_their_rights, "landlock(7)")
{
	int ruleset = ruleset_of(ALL);
	struct sockaddr_un name = { AF_UNIX, "socket" };

	put_file("file", "");
	CHECK_OK(mkdir("sub", 0700));
	allow(ruleset, ".", READ_FILE | READ_DIR | WRITE_FILE);
	enforce(ruleset);
	CHECK_ERR(mkdir("dir", 0700), EACCES);
	CHECK_ERR(mknod("new", S_IFREG | 0600, 0), EACCES);
	CHECK_ERR(mkfifo("fifo", 0600), EACCES);
	CHECK_ERR(symlink("x", "link"), EACCES);
	CHECK_ERR(bind(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&name, sizeof(name)), EACCES);
	CHECK_ERR(unlink("file"), EACCES);
	CHECK_ERR(rmdir("sub"), EACCES);
	CHECK_ERR(rename("file", "other"), EACCES);
	CHECK_ERR(link("file", "other"), EACCES);
	CHECK_ERR(open("file", O_WRONLY | O_TRUNC), EACCES);
	CHECK_ERR(truncate("file", 0), EACCES);
	CHECK_ERR(mkdir("file", 0700), EEXIST);
	CHECK_ERR(unlink("missing"), ENOENT);
	CHECK_OK(chmod("file", 0600));
}

CASE(each_right_allows_its_action, "landlock(7)")
{
	int ruleset = ruleset_of(ALL);
	struct sockaddr_un name = { AF_UNIX, "socket" };

	put_file("file", "");
	allow(ruleset, ".", MAKE_DIR | MAKE_REG | MAKE_FIFO | MAKE_SYM | MAKE_SOCK | REMOVE_FILE | REMOVE_DIR |
		   WRITE_FILE);
	enforce(ruleset);
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_OK(symlink("x", "link"));
	CHECK_OK(bind(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&name, sizeof(name)));
	CHECK_OK(link("file", "second"));
	CHECK_OK(rename("file", "third"));
	CHECK_OK(unlink("third"));
	CHECK_OK(rmdir("dir"));
	CHECK_OK(close(CHECK_OK(open("new", O_WRONLY | O_CREAT, 0600))));
	CHECK_ERR(open("new", O_RDONLY), EACCES);
	CHECK_ERR(open("new", O_WRONLY | O_TRUNC), EACCES);
}

CASE(rule_on_a_file_holds_for_all_its_names, "landlock(7)")
{
	int ruleset = ruleset_of(READ_FILE);

	put_file("one", "");
	put_file("two", "");
	CHECK_OK(link("one", "same"));
	allow(ruleset, "one", READ_FILE);
	enforce(ruleset);
	CHECK_OK(open("one", O_RDONLY));
	CHECK_OK(open("same", O_RDONLY));
	CHECK_ERR(open("two", O_RDONLY), EACCES);
	CHECK_OK(open("two", O_WRONLY));
}

CASE(layers_only_ever_take_rights_away, "landlock(7)")
{
	int outer = ruleset_of(READ_FILE | WRITE_FILE), inner = ruleset_of(READ_FILE);

	CHECK_OK(mkdir("dir", 0700));
	put_file("dir/file", "");
	put_file("file", "");
	allow(outer, ".", READ_FILE);
	allow(inner, "dir", READ_FILE);
	enforce(outer);
	CHECK_OK(open("file", O_RDONLY));
	enforce(inner);
	CHECK_ERR(open("file", O_RDONLY), EACCES);
	CHECK_OK(open("dir/file", O_RDONLY));
	CHECK_ERR(open("dir/file", O_WRONLY), EACCES);
}

CASE(sixteen_layers_are_the_most, "landlock_restrict_self(2)")
{
	int ruleset = ruleset_of(MAKE_CHAR);

	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	for (int i = 0; i < 16; i++)
		CHECK_OK(restrict_self(ruleset, 0));
	CHECK_ERR(restrict_self(ruleset, 0), E2BIG);
}

CASE(later_rules_do_not_reach_a_domain, "landlock(7)")
{
	int ruleset = ruleset_of(READ_FILE);

	put_file("file", "");
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_OK(restrict_self(ruleset, 0));
	allow(ruleset, ".", READ_FILE);
	CHECK_ERR(open("file", O_RDONLY), EACCES);
}

CASE(domain_is_inherited_by_children_and_programs, "landlock(7)")
{
	int ruleset = ruleset_of(EXECUTE | READ_FILE);
	pid_t child;

	put_file("file", "");
	allow(ruleset, "/", EXECUTE);
	allow(ruleset, "/", READ_FILE);
	enforce(ruleset);
	ruleset = ruleset_of(WRITE_FILE);
	enforce(ruleset);
	child = fork_child();
	if (child == 0) {
		CHECK_ERR(open("file", O_WRONLY), EACCES);
		execl("/bin/sh", "sh", "-c", "exec 2>&-; : >file", NULL);
		_exit(100);
	}
	CHECK(wait_status(child) != 0);
	child = fork_child();
	if (child == 0) {
		execl("/bin/sh", "sh", "-c", ": <file", NULL);
		_exit(100);
	}
	CHECK_EXITS(child, 0);
}

CASE(program_needs_EXECUTE, "landlock(7)")
{
	int ruleset = ruleset_of(EXECUTE);
	pid_t child;

	enforce(ruleset);
	child = fork_child();
	if (child == 0) {
		CHECK_ERR(execl("/bin/sh", "sh", "-c", "true", NULL), EACCES);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(siblings_are_not_restricted, "landlock(7)")
{
	int ruleset = ruleset_of(READ_FILE);
	pid_t child;

	put_file("file", "");
	child = fork_child();
	if (child == 0) {
		enforce(ruleset);
		CHECK_ERR(open("file", O_RDONLY), EACCES);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(open("file", O_RDONLY));
}

CASE(other_directory_needs_REFER_on_both, "landlock(7)")
{
	int ruleset = ruleset_of(ALL);

	CHECK_OK(mkdir("one", 0700));
	CHECK_OK(mkdir("two", 0700));
	CHECK_OK(mkdir("three", 0700));
	put_file("one/file", "");
	allow(ruleset, "one", ALL);
	allow(ruleset, "two", ALL);
	allow(ruleset, "three", ALL & ~REFER);
	enforce(ruleset);
	CHECK_ERR(rename("one/file", "three/file"), EXDEV);
	CHECK_ERR(link("one/file", "three/file"), EXDEV);
	CHECK_OK(link("one/file", "two/link"));
	CHECK_OK(rename("one/file", "two/file"));
	CHECK_OK(rename("two/file", "two/again"));
	CHECK_ERR(rename("two/again", "other"), EACCES);
}

CASE(ruleset_without_REFER_denies_moves_as_well, "landlock(7)")
{
	int ruleset = ruleset_of(READ_FILE);

	CHECK_OK(mkdir("dir", 0700));
	put_file("file", "");
	allow(ruleset, ".", READ_FILE);
	enforce(ruleset);
	CHECK_OK(rename("file", "other"));
	CHECK_ERR(rename("other", "dir/other"), EXDEV);
	CHECK_ERR(link("other", "dir/link"), EXDEV);
	CHECK_OK(unlink("other"));
}

CASE(file_must_not_gain_rights_by_a_move, "landlock(7)")
{
	int ruleset = ruleset_of(ALL);

	CHECK_OK(mkdir("less", 0700));
	CHECK_OK(mkdir("more", 0700));
	put_file("less/file", "");
	put_file("more/file", "");
	allow(ruleset, "less", MAKE_REG | REMOVE_FILE | REFER);
	allow(ruleset, "more", MAKE_REG | REMOVE_FILE | REFER | READ_FILE);
	enforce(ruleset);
	CHECK_ERR(rename("less/file", "more/other"), EXDEV);
	CHECK_OK(rename("more/file", "less/other"));
	CHECK_ERR(open("less/other", O_RDONLY), EACCES);
}

CASE(truncation_is_decided_when_a_file_is_opened, "landlock(7)")
{
	int ruleset = ruleset_of(TRUNCATE), before = make_file("file", "text"), after;

	enforce(ruleset);
	CHECK_OK(ftruncate(before, 3));
	after = CHECK_OK(open("file", O_RDWR));
	CHECK_ERR(ftruncate(after, 2), EACCES);
	CHECK_ERR(truncate("file", 2), EACCES);
	CHECK_ERR(open("file", O_WRONLY | O_TRUNC), EACCES);
	CHECK_ERR(open("file", O_RDONLY | O_TRUNC), EACCES);
	CHECK_EQ(write(after, "more text", 9), 9);
	CHECK_OK(close(CHECK_OK(open("new", O_WRONLY | O_CREAT | O_TRUNC, 0600))));
}

CASE(ioctl_on_devices_is_decided_when_they_are_opened, "landlock(7)")
{
	int ruleset = ruleset_of(IOCTL_DEV), before, after, number, file = make_file("file", "x");

	before = CHECK_OK(open("/dev/null", O_RDONLY));
	enforce(ruleset);
	after = CHECK_OK(open("/dev/null", O_RDONLY));
	CHECK_ERR(ioctl(before, TIOCGWINSZ, &number), ENOTTY);
	CHECK_ERR(ioctl(after, TIOCGWINSZ, &number), EACCES);
	CHECK_OK(ioctl(after, FIOCLEX));
	number = 1;
	CHECK_OK(ioctl(after, FIONBIO, &number));
	CHECK_OK(ioctl(file, FIONREAD, &number));
}

CASE(mounts_are_frozen, "landlock(7)")
{
	NEEDS_ROOT();
	CHECK_OK(mkdir("dir", 0700));
	enforce(ruleset_of(READ_FILE));
	CHECK_ERR(mount("none", "dir", "tmpfs", 0, NULL), EPERM);
}

CASE(tracing_out_of_a_domain_is_denied, "landlock(7)")
{
	pid_t child = fork_child();

	if (child == 0) {
		pause();
		_exit(0);
	}
	enforce(ruleset_of(READ_FILE));
	CHECK_ERR(ptrace(PTRACE_ATTACH, child, NULL, NULL), EPERM);
	end_child(child);
}

CASE(scoped_signals_stay_in_the_domain, "landlock(7)")
{
	struct attributes attributes = { 0, 0, 2 };
	pid_t outside, inside;
	int ends[2];
	char byte;

	CHECK_OK(close(ruleset_of(ALL)));
	CHECK_OK(pipe(ends));
	outside = fork_child();
	if (outside == 0) {
		CHECK_OK(close(ends[1]));
		_exit((int)read(ends[0], &byte, 1));
	}
	enforce(CHECK_OK(create(&attributes, sizeof(attributes), 0)));
	inside = fork_child();
	if (inside == 0) {
		CHECK_ERR(kill(outside, SIGKILL), EPERM);
		CHECK_ERR(kill(outside, 0), EPERM);
		raise(SIGKILL);
	}
	CHECK_KILLED(inside, SIGKILL);
	inside = fork_child();
	if (inside == 0) {
		pause();
		_exit(0);
	}
	end_child(inside);
	CHECK_ERR(kill(outside, SIGKILL), EPERM);
	CHECK_OK(close(ends[1]));
	CHECK_EXITS(outside, 0);
}

CASE(scoped_abstract_names_stay_in_the_domain, "landlock(7)")
{
	struct attributes attributes = { 0, 0, 1 };
	struct sockaddr_un name = { AF_UNIX, "" };
	socklen_t length;
	int listener;

	CHECK_OK(close(ruleset_of(ALL)));
	length = offsetof(struct sockaddr_un, sun_path) +
		 sprintf(name.sun_path, "%clandlock-%d", 0, getpid());
	listener = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(bind(listener, (void *)&name, length));
	CHECK_OK(listen(listener, 1));
	CHECK_OK(connect(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&name, length));
	enforce(CHECK_OK(create(&attributes, sizeof(attributes), 0)));
	CHECK_ERR(connect(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&name, length), EPERM);
	CHECK_OK(close(listener));
	listener = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(bind(listener, (void *)&name, length));
	CHECK_OK(listen(listener, 1));
	CHECK_OK(connect(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&name, length));
}

CASE(module_list_has_capability_and_landlock, "lsm_list_modules(2)")
{
	uint64_t modules[32];
	uint32_t size = sizeof(modules), small = 1;
	bool capability = false, landlock = false;
	long count = syscall(461, modules, &size, 0);

	if (count == -1 && errno == ENOSYS)
		SKIP("an old kernel");
	CHECK_EQ(size, count * 8);
	for (long i = 0; i < count; i++) {
		capability = capability || modules[i] == 100;
		landlock = landlock || modules[i] == 110;
	}
	CHECK(capability);
	CHECK_EQ(landlock, create(NULL, 0, 1) > 0);
	CHECK_ERR(syscall(461, modules, &small, 0), E2BIG);
	CHECK_EQ(small, size);
	CHECK_ERR(syscall(461, modules, &size, 1), EINVAL);
	CHECK_ERR(syscall(461, modules, unmapped(), 0), EFAULT);
	CHECK_ERR(syscall(461, unmapped(), &size, 0), EFAULT);
}

CASE(no_module_has_attributes, "lsm_get_self_attr(2)")
{
	uint64_t context[8] = { 0 };
	uint32_t size = sizeof(context);

	if (syscall(459, 100, context, &size, 0) == -1 && errno == ENOSYS)
		SKIP("an old kernel");
	CHECK_ERR(syscall(459, 100, context, &size, 0), EOPNOTSUPP);
	CHECK_EQ(size, 0);
	CHECK_ERR(syscall(459, 0, context, &size, 0), EINVAL);
	CHECK_ERR(syscall(459, 100, context, NULL, 0), EINVAL);
	CHECK_ERR(syscall(459, 100, context, &size, 2), EINVAL);
	CHECK_ERR(syscall(459, 100, NULL, &size, 1), EINVAL);
	CHECK_ERR(syscall(459, 100, context, unmapped(), 0), EFAULT);
	context[2] = 32;
	CHECK_ERR(syscall(460, 100, context, 32, 0), EOPNOTSUPP);
	CHECK_ERR(syscall(460, 100, context, 31, 0), EINVAL);
	CHECK_ERR(syscall(460, 100, context, 4097, 0), E2BIG);
	CHECK_ERR(syscall(460, 100, context, 32, 1), EINVAL);
	CHECK_ERR(syscall(460, 100, unmapped(), 32, 0), EFAULT);
}
