/* Who a process is after execve: set-id programs, capabilities of files, no_new_privs. */
#include "harness.h"
#include "fixtures.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/xattr.h>

#define setresuid(real, effective, saved) syscall(SYS_setresuid, real, effective, saved)
#define setresgid(real, effective, saved) syscall(SYS_setresgid, real, effective, saved)
#define BIT(capability) (1ULL << (capability))
#define USER 1000

struct state {
	unsigned uid, euid, suid, gid, egid, sgid, fsuid;
	int secure, dumpable, securebits, death_signal;
	uint64_t effective, permitted, inheritable, ambient;
};

static struct state present(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct state state = { .secure = (int)getauxval(AT_SECURE) };

	syscall(SYS_getresuid, &state.uid, &state.euid, &state.suid);
	syscall(SYS_getresgid, &state.gid, &state.egid, &state.sgid);
	state.fsuid = syscall(SYS_setfsuid, -1);
	state.dumpable = prctl(PR_GET_DUMPABLE);
	state.securebits = prctl(PR_GET_SECUREBITS);
	prctl(PR_GET_PDEATHSIG, &state.death_signal);
	syscall(SYS_capget, &header, data);
	state.effective = data[0].effective | (uint64_t)data[1].effective << 32;
	state.permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	state.inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	for (int capability = 0; capability < 41; capability++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) == 1)
			state.ambient |= BIT(capability);
	return state;
}

/* As "report" this program tells who it is on descriptor 9. */
__attribute__((constructor)) static void report_state(int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "report") == 0) {
		struct state state = present();

		_exit(write(9, &state, sizeof(state)) == sizeof(state) ? 0 : 1);
	}
}

/* A copy of this program that anybody may execute. */
static void make_program(unsigned uid, unsigned gid, mode_t mode)
{
	int from = CHECK_OK(open("/proc/self/exe", O_RDONLY)), to;
	struct stat st;

	CHECK_OK(chmod(".", 0777));
	to = CHECK_OK(open("program", O_WRONLY | O_CREAT | O_TRUNC, 0755));
	CHECK_OK(fstat(from, &st));
	for (off_t left = st.st_size; left > 0;)
		left -= CHECK_OK(syscall(SYS_sendfile, to, from, NULL, left));
	CHECK_OK(fchown(to, uid, gid));
	CHECK_OK(fchmod(to, mode));
	close(from);
	close(to);
}

static void execute(int pipe_end)
{
	CHECK_OK(dup2(pipe_end, 9));
	execl("program", "report", NULL);
}

/* What "program" is after the caller has become `uid` and done `first`. */
static struct state state_of(unsigned uid, void (*first)(void))
{
	struct state state;
	int ends[2];
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		if (uid) {
			CHECK_OK(syscall(SYS_setgroups, 0, NULL));
			CHECK_OK(setresgid(uid, uid, uid));
			CHECK_OK(setresuid(uid, uid, uid));
		}
		if (first)
			first();
		execute(ends[1]);
		FAIL("execve: %s", errno_name(errno));
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK_EQ(read(ends[0], &state, sizeof(state)), sizeof(state));
	close(ends[0]);
	close(ends[1]);
	return state;
}

static void give_caps(uint64_t permitted, uint64_t inheritable, int effective)
{
	struct vfs_cap_data data = {
		.magic_etc = VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0),
		.data = {
			{ (uint32_t)permitted, (uint32_t)inheritable },
			{ (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
		},
	};

	CHECK_OK(setxattr("program", "security.capability", &data, sizeof(data), 0));
}

static void set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
	};

	CHECK_OK(syscall(SYS_capset, &header, data));
}

CASE(common_program_changes_nothing, "execve(2)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 0755);
	state = state_of(USER, NULL);
	CHECK_EQ(state.uid, USER);
	CHECK_EQ(state.euid, USER);
	CHECK_EQ(state.secure, 0);
	CHECK_EQ(state.dumpable, 1);
	CHECK_EQ(state.permitted, 0);
	state = state_of(0, NULL);
	CHECK_EQ(state.secure, 0);
	CHECK_EQ(state.permitted, state.effective);
	CHECK(state.permitted != 0);
}

CASE(set_user_id_program_gets_its_owner, "execve(2)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(1234, 1234, 04755);
	state = state_of(USER, NULL);
	CHECK_EQ(state.uid, USER);
	CHECK_EQ(state.euid, 1234);
	CHECK_EQ(state.suid, 1234);
	CHECK_EQ(state.fsuid, 1234);
	CHECK_EQ(state.gid, USER);
	CHECK_EQ(state.egid, USER);
	CHECK_EQ(state.secure, 1);
	CHECK_EQ(state.dumpable, 0);
	CHECK_EQ(state.permitted, 0);
}

CASE(set_group_id_program_gets_its_group, "execve(2)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 1234, 02755);
	state = state_of(USER, NULL);
	CHECK_EQ(state.euid, USER);
	CHECK_EQ(state.gid, USER);
	CHECK_EQ(state.egid, 1234);
	CHECK_EQ(state.sgid, 1234);
	CHECK_EQ(state.secure, 1);
	make_program(0, 1234, 02745); /* without group execution it means mandatory locking */
	state = state_of(USER, NULL);
	CHECK_EQ(state.egid, USER);
	CHECK_EQ(state.secure, 0);
}

CASE(set_user_id_root_program_gets_every_capability, "capabilities(7)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 04755);
	state = state_of(USER, NULL);
	CHECK_EQ(state.uid, USER);
	CHECK_EQ(state.euid, 0);
	CHECK(state.permitted & BIT(CAP_SYS_ADMIN));
	CHECK_EQ(state.permitted, state.effective);
	CHECK_EQ(state.secure, 1);
}

static void no_new_privileges(void)
{
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

CASE(no_new_privs_ignores_set_id_bits, "prctl(2)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 06755);
	state = state_of(USER, no_new_privileges);
	CHECK_EQ(state.euid, USER);
	CHECK_EQ(state.egid, USER);
	CHECK_EQ(state.permitted, 0);
	CHECK_EQ(state.secure, 0);
}

CASE(no_new_privs_ignores_file_capabilities, "prctl(2)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 0755);
	give_caps(BIT(CAP_KILL), 0, 1);
	state = state_of(USER, no_new_privileges);
	CHECK_EQ(state.permitted, 0);
	CHECK_EQ(state.effective, 0);
}

CASE(nosuid_mount_ignores_both, "mount(2)")
{
	struct state state;

	NEEDS_ROOT();
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mkdir("mounted", 0777));
	CHECK_OK(mount("none", "mounted", "tmpfs", MS_NOSUID, NULL));
	CHECK_OK(chdir("mounted"));
	make_program(0, 0, 06755);
	state = state_of(USER, NULL);
	CHECK_EQ(state.euid, USER);
	CHECK_EQ(state.secure, 0);
	make_program(0, 0, 0755);
	give_caps(BIT(CAP_KILL), 0, 1);
	state = state_of(USER, NULL);
	CHECK_EQ(state.permitted, 0);
	CHECK_OK(chdir(".."));
	CHECK_OK(umount("mounted"));
}

CASE(file_gives_its_capabilities, "capabilities(7)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 0755);
	give_caps(BIT(CAP_KILL) | BIT(CAP_CHOWN), 0, 1);
	state = state_of(USER, NULL);
	CHECK_EQ(state.euid, USER);
	CHECK_EQ(state.permitted, BIT(CAP_KILL) | BIT(CAP_CHOWN));
	CHECK_EQ(state.effective, BIT(CAP_KILL) | BIT(CAP_CHOWN));
	CHECK_EQ(state.secure, 1);
	give_caps(BIT(CAP_KILL), 0, 0);
	state = state_of(USER, NULL);
	CHECK_EQ(state.permitted, BIT(CAP_KILL));
	CHECK_EQ(state.effective, 0);
	CHECK_OK(removexattr("program", "security.capability"));
	state = state_of(USER, NULL);
	CHECK_EQ(state.permitted, 0);
}

static void drop_kill_from_bounding_set(void)
{
	/* done as root already */
}

CASE(bounding_set_limits_what_a_file_gives, "capabilities(7)")
{
	struct state state;
	int ends[2];
	pid_t child;

	NEEDS_ROOT();
	make_program(0, 0, 0755);
	CHECK_OK(prctl(PR_CAPBSET_DROP, CAP_KILL));
	give_caps(BIT(CAP_KILL) | BIT(CAP_CHOWN), 0, 0);
	state = state_of(USER, drop_kill_from_bounding_set);
	CHECK_EQ(state.permitted, BIT(CAP_CHOWN));
	/* a program that does not know of capabilities must get all of them, or does not start */
	give_caps(BIT(CAP_KILL) | BIT(CAP_CHOWN), 0, 1);
	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setresuid(USER, USER, USER));
		execute(ends[1]);
		_exit(errno);
	}
	CHECK_EQ(wait_status(child), EPERM << 8);
}

static void inherit_kill(void)
{
	set_caps(0, 0, BIT(CAP_KILL));
}

static void keep_kill(void)
{
	CHECK_OK(prctl(PR_SET_KEEPCAPS, 1));
}

CASE(inheritable_sets_meet, "capabilities(7)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 0755);
	set_caps(~0ULL & 0x1fffeffffff & present().permitted, present().permitted, BIT(CAP_KILL) | BIT(CAP_NET_RAW));
	give_caps(0, BIT(CAP_KILL) | BIT(CAP_CHOWN), 1);
	state = state_of(USER, keep_kill);
	CHECK_EQ(state.permitted, BIT(CAP_KILL));
	CHECK_EQ(state.effective, BIT(CAP_KILL));
	CHECK_EQ(state.inheritable, BIT(CAP_KILL) | BIT(CAP_NET_RAW));
	CHECK_EQ(state.securebits & SECBIT_KEEP_CAPS, 0);
	(void)inherit_kill;
}

static void raise_ambient(void)
{
	CHECK_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
}

static void keep_and_raise(void)
{
	set_caps(0, BIT(CAP_KILL), BIT(CAP_KILL));
	raise_ambient();
}

CASE(ambient_capabilities_survive_execve, "capabilities(7)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 0755);
	CHECK_OK(prctl(PR_SET_KEEPCAPS, 1));
	state = state_of(USER, keep_and_raise);
	CHECK_EQ(state.permitted, BIT(CAP_KILL));
	CHECK_EQ(state.effective, BIT(CAP_KILL));
	CHECK_EQ(state.ambient, BIT(CAP_KILL));
	CHECK_EQ(state.secure, 0);
	make_program(1234, 1234, 04755);
	state = state_of(USER, keep_and_raise);
	CHECK_EQ(state.ambient, 0);
	CHECK_EQ(state.permitted, 0);
	make_program(0, 0, 0755);
	give_caps(BIT(CAP_CHOWN), 0, 1);
	state = state_of(USER, keep_and_raise);
	CHECK_EQ(state.ambient, 0);
	CHECK_EQ(state.permitted, BIT(CAP_CHOWN));
}

static void no_root(void)
{
	CHECK_OK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
}

CASE(root_is_nothing_special_with_SECBIT_NOROOT, "capabilities(7)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 0755);
	state = state_of(0, no_root);
	CHECK_EQ(state.euid, 0);
	CHECK_EQ(state.permitted, 0);
	CHECK_EQ(state.effective, 0);
	CHECK_EQ(state.securebits, SECBIT_NOROOT);
}

CASE(capabilities_of_a_set_user_id_root_program_count_alone, "capabilities(7)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 04755);
	give_caps(BIT(CAP_KILL), 0, 1);
	state = state_of(USER, NULL);
	CHECK_EQ(state.euid, 0);
	CHECK_EQ(state.permitted, BIT(CAP_KILL));
}

static void effective_user(void)
{
	CHECK_OK(setresuid(-1, USER, -1));
}

CASE(effective_id_is_saved_and_makes_the_program_wary, "execve(2)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 0755);
	state = state_of(0, effective_user);
	CHECK_EQ(state.uid, 0);
	CHECK_EQ(state.euid, USER);
	CHECK_EQ(state.suid, USER);
	CHECK_EQ(state.secure, 1);
	CHECK_EQ(state.dumpable, 0);
	CHECK_EQ(state.effective, 0);
}

static void death_signal(void)
{
	CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
}

CASE(death_signal_is_forgotten_by_a_set_id_program, "prctl(2)")
{
	NEEDS_ROOT();
	make_program(0, 0, 0755);
	CHECK_EQ(state_of(USER, death_signal).death_signal, SIGUSR1);
	make_program(1234, 1234, 04755);
	CHECK_EQ(state_of(USER, death_signal).death_signal, 0);
	make_program(0, 0, 0755);
	give_caps(BIT(CAP_KILL), 0, 1);
	CHECK_EQ(state_of(USER, death_signal).death_signal, 0);
}

static void new_user_namespace(void)
{
	CHECK_OK(unshare(CLONE_NEWUSER));
}

CASE(owner_without_a_mapping_gives_nothing, "user_namespaces(7)")
{
	struct state state;

	NEEDS_ROOT();
	make_program(0, 0, 06755);
	state = state_of(USER, new_user_namespace);
	CHECK_EQ(state.euid, 65534);
	CHECK_EQ(state.uid, 65534);
	CHECK_EQ(state.permitted, 0);
	CHECK_EQ(state.secure, 0);
}

CASE(invalid_capabilities_can_not_be_set, "capabilities(7)")
{
	struct vfs_cap_data data = { .magic_etc = VFS_CAP_REVISION_2 };

	NEEDS_ROOT();
	put_file("program", "");
	CHECK_ERR(setxattr("program", "security.capability", &data, 5, 0), EINVAL);
	CHECK_OK(setxattr("program", "security.capability", &data, 0, 0)); /* nothing to look at */
	data.magic_etc = 0x05000000;
	CHECK_ERR(setxattr("program", "security.capability", &data, sizeof(data), 0), EINVAL);
	data.magic_etc = VFS_CAP_REVISION_1;
	CHECK_ERR(setxattr("program", "security.capability", &data, 12, 0), EINVAL);
	data.magic_etc = VFS_CAP_REVISION_2;
	CHECK_OK(setxattr("program", "security.capability", &data, sizeof(data), 0));
	CHECK_OK(setresuid(USER, USER, USER));
	CHECK_ERR(setxattr("program", "security.capability", &data, sizeof(data), 0), EPERM);
}

CASE(chown_takes_the_set_id_bits_and_capabilities_away, "chown(2)")
{
	struct stat st;

	NEEDS_ROOT();
	make_program(0, 0, 06755);
	CHECK_OK(chown("program", 1234, 1234));
	CHECK_OK(stat("program", &st));
	CHECK_EQ(st.st_mode & 07777, 0755);
	give_caps(BIT(CAP_KILL), 0, 1);
	CHECK_OK(chown("program", 0, 0));
	CHECK_ERR(getxattr("program", "security.capability", NULL, 0), ENODATA);
}

CASE(writing_takes_capabilities_away, "capabilities(7)")
{
	int fd;

	NEEDS_ROOT();
	make_program(0, 0, 0755);
	give_caps(BIT(CAP_KILL), 0, 1);
	fd = CHECK_OK(open("program", O_WRONLY));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_ERR(getxattr("program", "security.capability", NULL, 0), ENODATA);
	close(fd);
}

static void be_traced(void)
{
	CHECK_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

CASE(traced_program_gains_nothing_from_a_tracer_without_rights, "ptrace(2)")
{
	struct state state;
	int ends[2], status;
	pid_t child, tracer;

	NEEDS_ROOT();
	make_program(0, 0, 04755);
	CHECK_OK(pipe(ends));
	tracer = fork_child();
	if (tracer == 0) {
		CHECK_OK(setresgid(USER, USER, USER));
		CHECK_OK(setresuid(USER, USER, USER));
		child = fork();
		if (child == 0) {
			be_traced();
			execute(ends[1]);
			_exit(1);
		}
		while (waitpid(child, &status, 0) == child && WIFSTOPPED(status))
			ptrace(PTRACE_CONT, child, 0, 0);
		_exit(WEXITSTATUS(status));
	}
	CHECK_EQ(wait_status(tracer), 0);
	CHECK_EQ(read(ends[0], &state, sizeof(state)), sizeof(state));
	CHECK_EQ(state.euid, USER);
	CHECK_EQ(state.permitted, 0);
}
