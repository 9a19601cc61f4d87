/* What execve makes of capabilities: those of the file, of the thread, of root. */
#include "harness.h"
#include "reports.h"

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

CASE(bounding_set_limits_what_a_file_gives, "capabilities(7)")
{
	struct state state;
	int ends[2];
	pid_t child;

	NEEDS_ROOT();
	make_program(0, 0, 0755);
	CHECK_OK(prctl(PR_CAPBSET_DROP, CAP_KILL));
	give_caps(BIT(CAP_KILL) | BIT(CAP_CHOWN), 0, 0);
	state = state_of(USER, NULL);
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
