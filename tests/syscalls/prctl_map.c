/* PR_SET_MM_MAP: all fields of an address space at once; and the calls of arch_prctl that only ask. */
#include "harness.h"
#include "fixtures.h"

#include <linux/prctl.h>
#include <stdint.h>
#include <sys/resource.h>

enum {
	GET_XCOMP_SUPP = 0x1021,
	GET_XCOMP_PERM = 0x1022,
	REQ_XCOMP_PERM = 0x1023,
	MAP_VDSO_X32 = 0x2001,
	MAP_VDSO_64 = 0x2003,
};

static long set_map(const struct prctl_mm_map *map)
{
	return syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, map, sizeof(*map), 0);
}

/* The map as it is now. */
static struct prctl_mm_map present(void)
{
	struct prctl_mm_map map = { .exe_fd = UINT32_MAX };
	uint64_t field[53] = { 0 };
	char *rest = strrchr((char *)text_of("/proc/self/stat"), ')') + 4;

	for (int i = 4; i <= 52; i++)
		field[i] = strtoull(rest, &rest, 10);
	map.start_code = field[26];
	map.end_code = field[27];
	map.start_stack = field[28];
	map.start_data = field[45];
	map.end_data = field[46];
	map.start_brk = field[47];
	map.brk = (uint64_t)sbrk(0);
	map.arg_start = field[48];
	map.arg_end = field[49];
	map.env_start = field[50];
	map.env_end = field[51];
	return map;
}

CASE(SET_MM_MAP_sets_what_proc_tells, "PR_SET_MM(2const)")
{
	struct prctl_mm_map map = present();
	char title[] = "another title";

	map.arg_start = (uint64_t)title;
	map.arg_end = (uint64_t)title + sizeof(title);
	CHECK_OK(set_map(&map));
	CHECK(!strcmp(text_of("/proc/self/cmdline"), title));
	CHECK_EQ(present().arg_start, map.arg_start);
	CHECK_EQ(present().start_code, map.start_code);
}

CASE(SET_MM_MAP_checks_the_areas, "PR_SET_MM(2const)")
{
	struct prctl_mm_map good = present(), map;

	CHECK_OK(set_map(&good));
	map = good;
	map.start_code = map.end_code;
	CHECK_ERR(set_map(&map), EINVAL);
	map = good;
	map.start_data = map.end_data + 1;
	CHECK_ERR(set_map(&map), EINVAL);
	map = good;
	map.brk = map.start_brk - 1;
	CHECK_ERR(set_map(&map), EINVAL);
	map = good;
	map.arg_start = map.arg_end + 1;
	CHECK_ERR(set_map(&map), EINVAL);
	map = good;
	map.env_end = map.env_start - 1;
	CHECK_ERR(set_map(&map), EINVAL);
	map = good;
	map.start_stack = 0;
	CHECK_ERR(set_map(&map), EINVAL);
	map = good;
	map.env_end = 1ULL << 47;
	CHECK_ERR(set_map(&map), EINVAL);
	CHECK_EQ(present().start_code, good.start_code);
}

CASE(SET_MM_MAP_checks_its_arguments, "PR_SET_MM(2const)")
{
	struct prctl_mm_map good = present(), map = good;

	CHECK_ERR(syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map) - 1, 0), EINVAL);
	CHECK_ERR(syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 1), EINVAL);
	CHECK_ERR(set_map(NULL), EFAULT);
	map.auxv_size = 16;
	CHECK_ERR(set_map(&map), EINVAL);
	map.auxv = (void *)8;
	CHECK_ERR(set_map(&map), EFAULT);
	map.auxv_size = 100000;
	CHECK_ERR(set_map(&map), EINVAL);
}

CASE(SET_MM_MAP_keeps_data_within_its_limit, "PR_SET_MM(2const)")
{
	struct prctl_mm_map map = present();
	struct rlimit limit = { PAGE, PAGE };

	map.brk = map.start_brk + 2 * PAGE;
	CHECK_OK(set_map(&map));
	CHECK_OK(setrlimit(RLIMIT_DATA, &limit));
	CHECK_ERR(set_map(&map), EINVAL);
}

CASE(SET_MM_MAP_changes_the_program_for_the_privileged_only, "PR_SET_MM(2const)")
{
	struct prctl_mm_map map = present();

	map.exe_fd = 99;
	if (geteuid()) {
		CHECK_ERR(set_map(&map), EPERM);
		return;
	}
	CHECK_ERR(set_map(&map), EBADF);
	map.exe_fd = (uint32_t)CHECK_OK(open("/", O_RDONLY | O_CLOEXEC));
	CHECK_ERR(set_map(&map), EACCES);
	map.exe_fd = (uint32_t)CHECK_OK(open("plain", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	CHECK_ERR(set_map(&map), EACCES);
	map.exe_fd = (uint32_t)CHECK_OK(open("/bin/sh", O_RDONLY | O_CLOEXEC));
	CHECK_ERR(set_map(&map), EBUSY);
}

CASE(XCOMP_tells_the_state_components, "arch_prctl(2)")
{
	uint64_t supported = 0, permitted = 0;

	CHECK_OK(syscall(SYS_arch_prctl, GET_XCOMP_SUPP, &supported));
	CHECK_OK(syscall(SYS_arch_prctl, GET_XCOMP_PERM, &permitted));
	CHECK_EQ(supported & 3, 3);
	CHECK_EQ(permitted & ~supported, 0);
	CHECK_ERR(syscall(SYS_arch_prctl, GET_XCOMP_SUPP, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_arch_prctl, REQ_XCOMP_PERM, 0), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_arch_prctl, REQ_XCOMP_PERM, 64), EINVAL);
}

CASE(the_vdso_is_mapped_once, "arch_prctl(2)")
{
	CHECK_ERR(syscall(SYS_arch_prctl, MAP_VDSO_64, 0), EEXIST);
	CHECK_ERR(syscall(SYS_arch_prctl, MAP_VDSO_X32, 0), EINVAL);
	CHECK_ERR(syscall(SYS_arch_prctl, 0, 0), EINVAL);
}
