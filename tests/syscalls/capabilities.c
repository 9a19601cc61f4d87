/* Capabilities: sets, securebits, ambient ones, and what changes of ids do to them. */
#include "harness.h"
#include "fixtures.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#define setresuid(real, effective, saved) syscall(SYS_setresuid, real, effective, saved)
#define BIT(capability) (1ULL << (capability))

struct sets {
	uint64_t effective, permitted, inheritable;
};

static struct sets get_sets(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	CHECK_OK(syscall(SYS_capget, &header, data));
	return (struct sets){
		data[0].effective | (uint64_t)data[1].effective << 32,
		data[0].permitted | (uint64_t)data[1].permitted << 32,
		data[0].inheritable | (uint64_t)data[1].inheritable << 32,
	};
}

static int set_sets(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
	};

	return syscall(SYS_capset, &header, data);
}

CASE(capget_tells_the_version_it_prefers, "capget(2)")
{
	struct __user_cap_header_struct header = { .version = 0x1234 };
	struct __user_cap_data_struct data[2];

	CHECK_ERR(syscall(SYS_capget, &header, data), EINVAL);
	CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
	header.version = 0;
	CHECK_OK(syscall(SYS_capget, &header, NULL));
	CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
	header.version = 5;
	CHECK_ERR(syscall(SYS_capset, &header, data), EINVAL);
	CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
	header.version = _LINUX_CAPABILITY_VERSION_1;
	CHECK_OK(syscall(SYS_capget, &header, data));
	header.version = _LINUX_CAPABILITY_VERSION_2;
	CHECK_OK(syscall(SYS_capget, &header, data));
}

CASE(capget_of_another_process, "capget(2)")
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, getppid() };
	struct __user_cap_data_struct data[2];

	CHECK_OK(syscall(SYS_capget, &header, data));
	header.pid = -1;
	CHECK_ERR(syscall(SYS_capget, &header, data), EINVAL);
	header.pid = 0x7ffffff;
	CHECK_ERR(syscall(SYS_capget, &header, data), ESRCH);
	header.pid = 0;
	CHECK_ERR(syscall(SYS_capget, &header, unmapped()), EFAULT);
	CHECK_ERR(syscall(SYS_capget, unmapped(), data), EFAULT);
	header.pid = getppid();
	CHECK_ERR(syscall(SYS_capset, &header, data), EPERM);
	header.pid = 0;
	CHECK_ERR(syscall(SYS_capset, &header, unmapped()), EFAULT);
}

CASE(effective_must_be_permitted, "capset(2)")
{
	struct sets now = get_sets();

	NEEDS_ROOT();
	CHECK_OK(set_sets(0, now.permitted, 0));
	CHECK_OK(set_sets(now.permitted, now.permitted, 0));
	CHECK_OK(set_sets(0, BIT(CAP_KILL), 0));
	CHECK_ERR(set_sets(BIT(CAP_CHOWN), BIT(CAP_KILL), 0), EPERM);
	CHECK_ERR(set_sets(0, BIT(CAP_KILL) | BIT(CAP_CHOWN), 0), EPERM);
	CHECK_OK(set_sets(BIT(CAP_KILL), BIT(CAP_KILL), 0));
}

CASE(inheritable_is_bounded, "capset(2)")
{
	NEEDS_ROOT();
	CHECK_OK(prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
	CHECK_ERR(set_sets(0, 0, BIT(CAP_NET_RAW)), EPERM);
	CHECK_OK(set_sets(0, BIT(CAP_CHOWN), BIT(CAP_KILL))); /* CAP_SETPCAP: any of the bounding set */
	CHECK_OK(set_sets(0, BIT(CAP_CHOWN), BIT(CAP_KILL)));
	CHECK_ERR(set_sets(0, BIT(CAP_CHOWN), BIT(CAP_KILL) | BIT(CAP_SYS_NICE)), EPERM);
	CHECK_OK(set_sets(0, BIT(CAP_CHOWN), BIT(CAP_KILL) | BIT(CAP_CHOWN)));
}

CASE(unknown_bits_are_dropped, "capset(2)")
{
	NEEDS_ROOT();
	CHECK_OK(set_sets(0, BIT(CAP_KILL), 0));
	CHECK_ERR(set_sets(0, 0, BIT(CAP_CHOWN)), EPERM);
	CHECK_OK(set_sets(0, BIT(CAP_KILL) | BIT(60), 0));
	CHECK_EQ(get_sets().permitted, BIT(CAP_KILL));
}

CASE(bounding_set_can_only_shrink, "capabilities(7)")
{
	CHECK_ERR(prctl(PR_CAPBSET_READ, 64), EINVAL);
	CHECK_ERR(prctl(PR_CAPBSET_READ, 41), EINVAL);
	if (geteuid() != 0) {
		CHECK_ERR(prctl(PR_CAPBSET_DROP, CAP_CHOWN), EPERM);
		return;
	}
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
	CHECK_OK(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 0);
	CHECK(get_sets().effective & BIT(CAP_CHOWN));
	CHECK_ERR(prctl(PR_CAPBSET_DROP, 41), EINVAL);
	CHECK_OK(set_sets(0, 0, 0));
	CHECK_ERR(prctl(PR_CAPBSET_DROP, CAP_KILL), EPERM);
}

CASE(giving_up_root_clears_the_sets, "capabilities(7)")
{
	NEEDS_ROOT();
	CHECK_OK(setresuid(-1, 1000, -1));
	CHECK_EQ(get_sets().effective, 0);
	CHECK(get_sets().permitted != 0);
	CHECK_OK(setresuid(-1, 0, -1));
	CHECK(get_sets().effective == get_sets().permitted);
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_EQ(get_sets().permitted, 0);
	CHECK_EQ(get_sets().effective, 0);
}

CASE(keep_caps_keeps_the_permitted_set, "prctl(2)")
{
	uint64_t before = get_sets().permitted;

	NEEDS_ROOT();
	CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
	CHECK_ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
	CHECK_OK(prctl(PR_SET_KEEPCAPS, 1));
	CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
	CHECK_EQ(prctl(PR_GET_SECUREBITS), SECBIT_KEEP_CAPS);
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_EQ(get_sets().permitted, before);
	CHECK_EQ(get_sets().effective, 0);
	CHECK_OK(set_sets(before, before, 0));
}

CASE(setfsuid_moves_the_file_capabilities_only, "capabilities(7)")
{
	uint64_t before = get_sets().effective, files;

	NEEDS_ROOT();
	files = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) |
		BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MKNOD) | BIT(CAP_MAC_OVERRIDE);
	CHECK_EQ(setfsuid(1000), 0);
	CHECK_EQ(get_sets().effective, before & ~files);
	CHECK_EQ(setfsuid(0), 1000);
	CHECK_EQ(get_sets().effective, before);
}

CASE(no_setuid_fixup_leaves_the_sets_alone, "capabilities(7)")
{
	struct sets before = get_sets();

	NEEDS_ROOT();
	CHECK_OK(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_EQ(get_sets().permitted, before.permitted);
	CHECK_EQ(get_sets().effective, before.effective);
	CHECK_EQ(setfsuid(7), 1000);
	CHECK_EQ(get_sets().effective, before.effective);
}

CASE(locked_securebits_stay, "capabilities(7)")
{
	NEEDS_ROOT();
	CHECK_OK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED));
	CHECK_EQ(prctl(PR_GET_SECUREBITS), SECBIT_NOROOT | SECBIT_NOROOT_LOCKED);
	CHECK_ERR(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT_LOCKED), EPERM);
	CHECK_ERR(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT), EPERM);
	CHECK_OK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED));
	CHECK_ERR(prctl(PR_SET_KEEPCAPS, 1), EPERM);
	CHECK_ERR(prctl(PR_SET_KEEPCAPS, 0), EPERM);
	CHECK_ERR(prctl(PR_SET_SECUREBITS, 0x10000), EPERM);
}

CASE(securebits_need_CAP_SETPCAP, "prctl(2)")
{
	if (geteuid() == 0)
		CHECK_OK(set_sets(0, 0, 0));
	CHECK_ERR(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT), EPERM);
	CHECK_OK(prctl(PR_SET_KEEPCAPS, 1));
}

CASE(ambient_needs_permitted_and_inheritable, "capabilities(7)")
{
	NEEDS_ROOT();
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0), EPERM);
	CHECK_OK(set_sets(BIT(CAP_KILL), BIT(CAP_KILL) | BIT(CAP_CHOWN), BIT(CAP_KILL)));
	CHECK_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 1);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), 0);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), EPERM);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 41, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 1, 0), EINVAL);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, CAP_KILL, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, 9, CAP_KILL, 0, 0), EINVAL);
	CHECK_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_KILL, 0, 0));
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0);
	CHECK_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
	CHECK_OK(set_sets(BIT(CAP_KILL), BIT(CAP_KILL), 0)); /* no longer inheritable */
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0);
}

CASE(securebit_forbids_raising_ambient_ones, "capabilities(7)")
{
	NEEDS_ROOT();
	CHECK_OK(set_sets(BIT(CAP_KILL) | BIT(CAP_SETPCAP), BIT(CAP_KILL) | BIT(CAP_SETPCAP), BIT(CAP_KILL)));
	CHECK_OK(prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE));
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0), EPERM);
}

CASE(losing_root_clears_the_ambient_set, "capabilities(7)")
{
	uint64_t all = get_sets().permitted;

	NEEDS_ROOT();
	CHECK_OK(set_sets(all, all, BIT(CAP_KILL)));
	CHECK_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
	CHECK_OK(prctl(PR_SET_KEEPCAPS, 1));
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0);
}

CASE(status_file_tells_the_sets, "proc(5)")
{
	char line[64];

	snprintf(line, sizeof(line), "\nCapPrm:\t%016llx\n", (unsigned long long)get_sets().permitted);
	CHECK(strstr(text_of("/proc/self/status"), line));
	snprintf(line, sizeof(line), "\nCapEff:\t%016llx\n", (unsigned long long)get_sets().effective);
	CHECK(strstr(text_of("/proc/self/status"), line));
}

CASE(change_of_ids_makes_a_process_undumpable, "prctl(2)")
{
	struct stat st;

	NEEDS_ROOT();
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, -1), EINVAL);
	CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	int signal = 1;
	CHECK_OK(prctl(PR_GET_PDEATHSIG, &signal));
	CHECK_EQ(signal, 0);
	CHECK_OK(stat("/proc/self/status", &st));
	CHECK_EQ(st.st_uid, 0);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	CHECK_OK(stat("/proc/self/status", &st));
	CHECK_EQ(st.st_uid, 1000);
}

CASE(setfsuid_makes_a_process_undumpable, "prctl(2)")
{
	NEEDS_ROOT();
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	CHECK_EQ(setfsgid(5), 0);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	CHECK_EQ(setfsuid(5), 0);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
}

CASE(setfsuid_always_returns_the_old_id, "setfsuid(2)")
{
	NEEDS_ROOT();
	CHECK_EQ(syscall(SYS_setfsuid, 7), 0);
	CHECK_OK(syscall(SYS_setresuid, -1, -1, -1)); /* nothing changes: not the file system's, either */
	CHECK_EQ(syscall(SYS_setfsuid, -1), 7);
	CHECK_EQ(syscall(SYS_setfsuid, 0), 7);
	CHECK_EQ(syscall(SYS_setfsgid, 9), 0);
	CHECK_EQ(syscall(SYS_setfsgid, -1), 9);
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_EQ(syscall(SYS_setfsuid, 5), 1000);
	CHECK_EQ(syscall(SYS_setfsuid, -1), 1000);
}

CASE(chroot_needs_its_capability, "chroot(2)")
{
	if (geteuid() == 0)
		CHECK_OK(set_sets(0, 0, 0));
	CHECK_ERR(chroot("."), EPERM);
	CHECK_ERR(chroot("absent"), ENOENT);
}

CASE(setgroups_checks_its_arguments, "setgroups(2)")
{
	gid_t groups[3] = { 30, 10, 20 }, back[3];

	if (geteuid() != 0) {
		CHECK_ERR(syscall(SYS_setgroups, 0, NULL), EPERM);
		return;
	}
	CHECK_ERR(syscall(SYS_setgroups, 65537, groups), EINVAL);
	CHECK_ERR(syscall(SYS_setgroups, -1, groups), EINVAL);
	CHECK_ERR(syscall(SYS_setgroups, 3, unmapped()), EFAULT);
	CHECK_OK(syscall(SYS_setgroups, 3, groups));
	CHECK_EQ(syscall(SYS_getgroups, 0, NULL), 3);
	CHECK_ERR(syscall(SYS_getgroups, 2, back), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, -1, back), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, 3, unmapped()), EFAULT);
	CHECK_EQ(syscall(SYS_getgroups, 3, back), 3);
	CHECK_EQ(back[0], 10);
	CHECK_EQ(back[2], 30);
	groups[1] = -1;
	CHECK_ERR(syscall(SYS_setgroups, 3, groups), EINVAL);
}
