/* Calls of administrators, by one who is none; and what ustat, sysfs and personality tell. */
#include "harness.h"
#include "fixtures.h"

#include <sys/personality.h>
#include <sys/utsname.h>

CASE(syslog_needs_privilege_to_change_anything, "syslog(2)")
{
	char buffer[16];

	lose_privilege();
	for (int kind = -1; kind <= 11; kind++)
		if (kind != 3 && kind != 10)
			CHECK_ERR(syscall(SYS_syslog, kind, buffer, sizeof(buffer)), EPERM);
}

CASE(reboot_needs_CAP_SYS_BOOT, "reboot(2)")
{
	lose_privilege();
	CHECK_ERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL), EPERM);
	CHECK_ERR(syscall(SYS_reboot, 1, 2, 3, NULL), EPERM);
}

CASE(accounting_and_swapping_need_privilege, "acct(2)")
{
	lose_privilege();
	CHECK_ERR(syscall(SYS_acct, NULL), EPERM);
	CHECK_ERR(syscall(SYS_acct, "absent"), EPERM);
	CHECK_ERR(syscall(SYS_swapon, "absent", 0), EPERM);
	CHECK_ERR(syscall(SYS_swapon, "absent", 1 << 24), EINVAL);
	CHECK_ERR(syscall(SYS_swapoff, "absent"), EPERM);
}

CASE(swapoff_of_what_is_no_swap_space, "swapoff(2)")
{
	NEEDS_ROOT();
	put_file("file", "text");
	if (syscall(SYS_swapoff, "absent") == -1 && errno == EPERM)
		SKIP("root lacks CAP_SYS_ADMIN");
	CHECK_ERR(syscall(SYS_swapoff, "absent"), ENOENT);
	CHECK_ERR(syscall(SYS_swapoff, unmapped()), EFAULT);
	CHECK_ERR(syscall(SYS_swapoff, "file"), EINVAL);
}

CASE(ustat_tells_of_mounted_file_systems, "ustat(2)")
{
	struct { int blocks; unsigned long inodes; char names[12]; } found;
	struct stat status;

	CHECK_OK(stat(".", &status));
	if (syscall(SYS_ustat, status.st_dev, &found) == -1 && errno == ENOSYS)
		SKIP("the kernel has no ustat");
	CHECK_ERR(syscall(SYS_ustat, 0x99999, &found), EINVAL);
	CHECK_OK(stat("/proc", &status));
	CHECK_OK(syscall(SYS_ustat, status.st_dev, &found));
	CHECK_EQ(found.names[0], 0);
	CHECK_ERR(syscall(SYS_ustat, status.st_dev, unmapped()), EFAULT);
}

CASE(sysfs_numbers_the_file_systems, "sysfs(2)")
{
	long count = syscall(SYS_sysfs, 3), index;
	char name[64];

	if (count == -1 && errno == ENOSYS)
		SKIP("the kernel has no sysfs(2)");
	CHECK(count > 0);
	index = CHECK_OK(syscall(SYS_sysfs, 1, "proc"));
	CHECK(index < count);
	CHECK_OK(syscall(SYS_sysfs, 2, index, name));
	CHECK_STREQ(name, "proc");
	CHECK_ERR(syscall(SYS_sysfs, 1, "absent"), EINVAL);
	CHECK_ERR(syscall(SYS_sysfs, 1, unmapped()), EFAULT);
	CHECK_ERR(syscall(SYS_sysfs, 2, count, name), EINVAL);
	CHECK_ERR(syscall(SYS_sysfs, 2, 0, unmapped()), EFAULT);
	CHECK_ERR(syscall(SYS_sysfs, 4), EINVAL);
}

CASE(UNAME26_tells_an_old_version, "personality(2)")
{
	struct utsname names, old;
	int major, minor;

	CHECK_OK(uname(&names));
	CHECK_EQ(sscanf(names.release, "%d.%d", &major, &minor), 2);
	if (major != 6)
		SKIP("the rule is another for version %d", major);
	CHECK_EQ(personality(UNAME26), 0);
	CHECK_OK(uname(&old));
	snprintf(names.release, sizeof(names.release), "2.6.%d", minor + 60);
	CHECK_EQ(strncmp(old.release, names.release, strlen(names.release)), 0);
	CHECK_EQ(personality(-1), UNAME26);
}
