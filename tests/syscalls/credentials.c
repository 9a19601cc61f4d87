/* User and group ids: getting and setting them, capabilities, no_new_privs. */
#include "harness.h"
#include "fixtures.h"

#include <linux/capability.h>
#include <sys/fsuid.h>
#include <grp.h>
#include <sys/prctl.h>

/* Raw calls: glibc's wrappers also tell the other threads. */
#define setresuid(real, effective, saved) syscall(SYS_setresuid, real, effective, saved)
#define setresgid(real, effective, saved) syscall(SYS_setresgid, real, effective, saved)

CASE(getresuid_agrees_with_getuid_and_geteuid, "getresuid(2)")
{
	unsigned real, effective, saved;

	CHECK_OK(syscall(SYS_getresuid, &real, &effective, &saved));
	CHECK_EQ(syscall(SYS_getuid), real);
	CHECK_EQ(syscall(SYS_geteuid), effective);
	CHECK_OK(syscall(SYS_getresgid, &real, &effective, &saved));
	CHECK_EQ(syscall(SYS_getgid), real);
	CHECK_EQ(syscall(SYS_getegid), effective);
	CHECK_ERR(syscall(SYS_getresuid, unmapped(), &effective, &saved), EFAULT);
}

CASE(setting_the_present_ids_is_always_allowed, "setresuid(2)")
{
	CHECK_OK(syscall(SYS_setuid, getuid()));
	CHECK_OK(syscall(SYS_setgid, getgid()));
	CHECK_OK(setresuid(-1, -1, -1));
	CHECK_OK(syscall(SYS_setreuid, -1, -1));
	CHECK_OK(syscall(SYS_setregid, getgid(), -1));
}

CASE(ordinary_user_cannot_become_another, "setuid(2)")
{
	if (geteuid() == 0)
		CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(syscall(SYS_setuid, 0), EPERM);
	CHECK_ERR(setresuid(-1, 12345, -1), EPERM);
	CHECK_ERR(syscall(SYS_setreuid, 12345, -1), EPERM);
	CHECK_ERR(syscall(SYS_setgid, 12345), EPERM);
	CHECK_ERR(setgroups(0, NULL), EPERM);
}

CASE(root_s_setuid_sets_all_three_and_gives_up_root, "setuid(2)")
{
	unsigned real, effective, saved;

	NEEDS_ROOT();
	CHECK_OK(syscall(SYS_setuid, 1234));
	CHECK_OK(syscall(SYS_getresuid, &real, &effective, &saved));
	CHECK_EQ(real, 1234);
	CHECK_EQ(effective, 1234);
	CHECK_EQ(saved, 1234);
	CHECK_ERR(syscall(SYS_setuid, 0), EPERM);
}

CASE(saved_id_allows_the_way_back, "setresuid(2)")
{
	NEEDS_ROOT();
	CHECK_OK(setresuid(-1, 1234, -1));
	CHECK_EQ(geteuid(), 1234);
	CHECK_EQ(getuid(), 0);
	CHECK_OK(setresuid(-1, 0, -1));
	CHECK_EQ(geteuid(), 0);
}

CASE(setreuid_moves_the_saved_id, "setreuid(2)")
{
	unsigned real, effective, saved;

	NEEDS_ROOT();
	CHECK_OK(syscall(SYS_setreuid, 1000, 2000));
	CHECK_OK(syscall(SYS_getresuid, &real, &effective, &saved));
	CHECK_EQ(real, 1000);
	CHECK_EQ(effective, 2000);
	CHECK_EQ(saved, 2000);
}

CASE(supplementary_groups_are_set_and_counted, "getgroups(2)")
{
	gid_t wanted[3] = { 30, 10, 20 }, seen[3] = { 0 };

	NEEDS_ROOT();
	CHECK_OK(syscall(SYS_setgroups, 3, wanted));
	CHECK_EQ(syscall(SYS_getgroups, 0, NULL), 3);
	CHECK_EQ(syscall(SYS_getgroups, 3, seen), 3);
	CHECK_EQ(seen[0] + seen[1] + seen[2], 60);
	CHECK_ERR(syscall(SYS_getgroups, 2, seen), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, -1, seen), EINVAL);
	CHECK_ERR(syscall(SYS_setgroups, 65537, wanted), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, 3, unmapped()), EFAULT);
}

CASE(group_permission_counts_for_supplementary_groups, "path_resolution(7)")
{
	gid_t group = 4321;

	NEEDS_ROOT();
	put_file("file", "");
	CHECK_OK(chown("file", 0, group));
	CHECK_OK(chmod("file", 0640));
	CHECK_OK(syscall(SYS_setgroups, 1, &group));
	CHECK_OK(setresuid(-1, 1234, -1));
	CHECK_OK(open("file", O_RDONLY));
	CHECK_ERR(open("file", O_RDWR), EACCES);
	CHECK_OK(setresuid(-1, 0, -1));
}

CASE(setfsuid_returns_the_previous_id, "setfsuid(2)")
{
	CHECK_EQ(syscall(SYS_setfsuid, -1), geteuid());
	CHECK_EQ(syscall(SYS_setfsgid, -1), getegid());
	if (geteuid() == 0) {
		CHECK_EQ(syscall(SYS_setfsuid, 1234), 0);
		CHECK_EQ(syscall(SYS_setfsuid, -1), 1234);
	}
}

CASE(new_file_belongs_to_the_effective_ids, "open(2)")
{
	struct stat status;

	NEEDS_ROOT();
	CHECK_OK(chmod(".", 0777));
	CHECK_OK(setresgid(-1, 777, -1));
	CHECK_OK(setresuid(-1, 1234, -1));
	put_file("file", "");
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_uid, 1234);
	CHECK_EQ(status.st_gid, 777);
	CHECK_OK(setresuid(-1, 0, -1));
}

CASE(set_group_id_directory_passes_its_group_on, "inode(7)")
{
	struct stat status;

	NEEDS_ROOT();
	CHECK_OK(mkdir("below", 0777));
	CHECK_OK(chown("below", -1, 555));
	CHECK_OK(chmod("below", 02777));
	put_file("below/file", "");
	CHECK_OK(mkdir("below/deeper", 0755));
	CHECK_OK(stat("below/file", &status));
	CHECK_EQ(status.st_gid, 555);
	CHECK_OK(stat("below/deeper", &status));
	CHECK_EQ(status.st_gid, 555);
	CHECK(status.st_mode & S_ISGID);
}

CASE(signal_to_another_user_s_process_gives_EPERM, "kill(2)")
{
	int go[2];
	pid_t child;

	NEEDS_ROOT();
	CHECK_OK(pipe(go));
	child = fork_child();
	if (child == 0) {
		await(go[0]);
		_exit(0);
	}
	CHECK_OK(setresuid(-1, 1234, -1));
	CHECK_OK(setresuid(1234, -1, -1));
	CHECK_ERR(kill(child, 0), EPERM);
	tell(go[1]);
	CHECK_EXITS(child, 0);
}

CASE(capabilities_go_with_root, "capabilities(7)")
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	CHECK_OK(syscall(SYS_capget, &header, data));
	if (geteuid() == 0) {
		CHECK(data[0].effective & (1 << CAP_SETUID));
		CHECK_OK(setresuid(1234, 1234, 1234));
		CHECK_OK(syscall(SYS_capget, &header, data));
	}
	CHECK_EQ(data[0].effective, 0);
	CHECK_EQ(data[0].permitted, 0);
}

CASE(dropped_capability_is_missed_and_cannot_be_regained, "capabilities(7)")
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	NEEDS_ROOT();
	CHECK_OK(syscall(SYS_capget, &header, data));
	data[0].effective &= ~(1u << CAP_SETGID);
	data[0].permitted &= ~(1u << CAP_SETGID);
	CHECK_OK(syscall(SYS_capset, &header, data));
	CHECK_ERR(syscall(SYS_setgroups, 0, NULL), EPERM);
	CHECK_ERR(syscall(SYS_setgid, 1234), EPERM);
	data[0].permitted |= 1u << CAP_SETGID;
	CHECK_ERR(syscall(SYS_capset, &header, data), EPERM);
}

CASE(unknown_capability_version_is_answered_with_the_known_one, "capget(2)")
{
	struct __user_cap_header_struct header = { 0x1234, 0 };
	struct __user_cap_data_struct data[2];

	CHECK_ERR(syscall(SYS_capget, &header, data), EINVAL);
	CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
}

CASE(no_new_privs_is_one_way_and_inherited, "PR_SET_NO_NEW_PRIVS(2const)")
{
	pid_t child;

	CHECK_OK(syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_EQ(syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_ERR(syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	child = fork_child();
	if (child == 0)
		_exit(syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	CHECK_EXITS(child, 1);
}
