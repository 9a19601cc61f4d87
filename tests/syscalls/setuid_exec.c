/* Who a process is after execve: set-id programs, no_new_privs, and what takes the bits away. */
#include "harness.h"
#include "reports.h"

#include <sys/mount.h>
#include <sys/ptrace.h>

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
