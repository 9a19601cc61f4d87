/* Who a process is after execve: set-id programs, no_new_privs, and what takes the bits away. */
#include "harness.h"
#include "reports.h"

#include <sys/mount.h>
#include <sys/ptrace.h>

/* What a program of this owner, group and mode is when `uid` executes it after `first`. */
static struct state executed(unsigned owner, unsigned group, mode_t mode, unsigned uid, void (*first)(void))
{
	NEEDS_ROOT();
	make_program(owner, group, mode);
	return state_of(uid, first);
}

static void check_ids(struct state state, unsigned uid, unsigned euid, unsigned gid, unsigned egid)
{
	CHECK_EQ(state.uid, uid);
	CHECK_EQ(state.euid, euid);
	CHECK_EQ(state.suid, euid);
	CHECK_EQ(state.fsuid, euid);
	CHECK_EQ(state.gid, gid);
	CHECK_EQ(state.egid, egid);
	CHECK_EQ(state.sgid, egid);
}

/* Whether it has reason to distrust who started it. */
static void check_wary(struct state state, bool wary)
{
	CHECK_EQ(state.secure, wary);
	CHECK_EQ(state.dumpable, !wary);
}

static void check_common(struct state state)
{
	check_ids(state, USER, USER, USER, USER);
	check_wary(state, false);
	CHECK_EQ(state.permitted, 0);
}

CASE(common_program_changes_nothing, "execve(2)")
{
	struct state state;

	check_common(executed(0, 0, 0755, USER, NULL));
	state = state_of(0, NULL);
	CHECK_EQ(state.secure, 0);
	CHECK_EQ(state.permitted, state.effective);
	CHECK(state.permitted != 0);
}

CASE(set_user_id_program_gets_its_owner, "execve(2)")
{
	struct state state = executed(1234, 1234, 04755, USER, NULL);

	check_ids(state, USER, 1234, USER, USER);
	check_wary(state, true);
	CHECK_EQ(state.permitted, 0);
}

CASE(set_group_id_program_gets_its_group, "execve(2)")
{
	struct state state = executed(0, 1234, 02755, USER, NULL);

	check_ids(state, USER, USER, USER, 1234);
	check_wary(state, true);
	/* without group execution it means mandatory locking */
	check_common(executed(0, 1234, 02745, USER, NULL));
}

CASE(set_user_id_root_program_gets_every_capability, "capabilities(7)")
{
	struct state state = executed(0, 0, 04755, USER, NULL);

	check_ids(state, USER, 0, USER, USER);
	check_wary(state, true);
	CHECK(state.permitted & BIT(CAP_SYS_ADMIN));
	CHECK_EQ(state.permitted, state.effective);
}

CASE(no_new_privs_ignores_set_id_bits, "prctl(2)")
{
	check_common(executed(0, 0, 06755, USER, no_new_privileges));
}

CASE(nosuid_mount_ignores_both, "mount(2)")
{
	NEEDS_ROOT();
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mkdir("mounted", 0777));
	CHECK_OK(mount("none", "mounted", "tmpfs", MS_NOSUID, NULL));
	CHECK_OK(chdir("mounted"));
	check_common(executed(0, 0, 06755, USER, NULL));
	make_program(0, 0, 0755);
	give_caps(BIT(CAP_KILL), 0, 1);
	check_common(state_of(USER, NULL));
	CHECK_OK(chdir(".."));
	CHECK_OK(umount("mounted"));
}

static void effective_user(void)
{
	CHECK_OK(setresuid(-1, USER, -1));
}

CASE(effective_id_is_saved_and_makes_the_program_wary, "execve(2)")
{
	struct state state = executed(0, 0, 0755, 0, effective_user);

	check_ids(state, 0, USER, 0, 0);
	check_wary(state, true);
	CHECK_EQ(state.effective, 0);
}

static void death_signal(void)
{
	CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
}

CASE(death_signal_is_forgotten_by_a_set_id_program, "prctl(2)")
{
	CHECK_EQ(executed(0, 0, 0755, USER, death_signal).death_signal, SIGUSR1);
	CHECK_EQ(executed(1234, 1234, 04755, USER, death_signal).death_signal, 0);
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
	struct state state = executed(0, 0, 06755, USER, new_user_namespace);

	check_ids(state, 65534, 65534, 65534, 65534);
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
