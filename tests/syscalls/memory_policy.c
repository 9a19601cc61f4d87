/* Memory policies on a machine whose first node is 0: numa(7). */
#include "harness.h"
#include "fixtures.h"

#include <linux/mempolicy.h>

enum { BITS = 1024 };

static const unsigned long none, node0 = 1, absent = 1UL << 63;

static long set_policy(int mode, const unsigned long *nodes)
{
	return syscall(SYS_set_mempolicy, mode, nodes, 64);
}

static long bind_pages(void *start, unsigned long length, int mode, const unsigned long *nodes)
{
	return syscall(SYS_mbind, start, length, mode, nodes, 64, 0);
}

static int policy_of(void *page)
{
	int mode = -1;
	unsigned long nodes[BITS / 64];

	CHECK_OK(syscall(SYS_get_mempolicy, &mode, nodes, BITS, page, page ? MPOL_F_ADDR : 0));
	return mode;
}

static void need_policies(void)
{
	if (set_policy(MPOL_DEFAULT, NULL) == -1 && errno == ENOSYS)
		SKIP("the kernel has no memory policies");
}

CASE(a_policy_is_told_as_it_was_set, "set_mempolicy(2)")
{
	static const int modes[] = { MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED_MANY };

	need_policies();
	CHECK_EQ(policy_of(NULL), MPOL_DEFAULT);
	for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		CHECK_OK(set_policy(modes[i], &node0));
		CHECK_EQ(policy_of(NULL), modes[i]);
	}
	CHECK_OK(set_policy(MPOL_LOCAL, NULL));
	CHECK_EQ(policy_of(NULL), MPOL_LOCAL);
	CHECK_OK(set_policy(MPOL_DEFAULT, NULL));
	CHECK_EQ(policy_of(NULL), MPOL_DEFAULT);
}

CASE(preferred_without_nodes_is_local, "set_mempolicy(2)")
{
	need_policies();
	CHECK_OK(set_policy(MPOL_PREFERRED, NULL));
	CHECK_EQ(policy_of(NULL), MPOL_LOCAL);
	CHECK_OK(set_policy(MPOL_PREFERRED, &none));
	CHECK_EQ(policy_of(NULL), MPOL_LOCAL);
}

CASE(set_mempolicy_errors, "set_mempolicy(2)")
{
	need_policies();
	CHECK_ERR(set_policy(MPOL_DEFAULT, &node0), EINVAL);
	CHECK_ERR(set_policy(MPOL_LOCAL, &node0), EINVAL);
	CHECK_ERR(set_policy(MPOL_BIND, NULL), EINVAL);
	CHECK_ERR(set_policy(MPOL_BIND, &none), EINVAL);
	CHECK_ERR(set_policy(MPOL_BIND, &absent), EINVAL);
	CHECK_ERR(set_policy(-1, &node0), EINVAL);
	CHECK_ERR(set_policy(99, &node0), EINVAL);
	CHECK_ERR(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, &node0), EINVAL);
	CHECK_ERR(set_policy(MPOL_PREFERRED | MPOL_F_STATIC_NODES, NULL), EINVAL);
	CHECK_ERR(set_policy(MPOL_BIND | 1 << 12, &node0), EINVAL);
	CHECK_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, unmapped(), 64), EFAULT);
	CHECK_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, &node0, 4096 * 8 + 2), EINVAL);
	CHECK_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, &node0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, &node0, 1), EINVAL);
	CHECK_EQ(policy_of(NULL), MPOL_DEFAULT);
}

CASE(mode_flags_are_told_with_the_mask_that_was_given, "set_mempolicy(2)")
{
	unsigned long nodes[BITS / 64], two = 3;
	int mode;

	need_policies();
	CHECK_OK(set_policy(MPOL_BIND | MPOL_F_RELATIVE_NODES, &two));
	CHECK_OK(syscall(SYS_get_mempolicy, &mode, nodes, BITS, NULL, 0));
	CHECK_EQ(mode, MPOL_BIND | MPOL_F_RELATIVE_NODES);
	CHECK_EQ(nodes[0], 3);
	CHECK_OK(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES, &node0));
	CHECK_EQ(policy_of(NULL), MPOL_BIND | MPOL_F_STATIC_NODES);
}

CASE(a_child_inherits_the_policy, "set_mempolicy(2)")
{
	pid_t child;

	need_policies();
	CHECK_OK(set_policy(MPOL_INTERLEAVE, &node0));
	child = fork_child();
	if (child == 0)
		_exit(policy_of(NULL) != MPOL_INTERLEAVE);
	CHECK_EXITS(child, 0);
}

CASE(get_mempolicy_tells_nodes, "get_mempolicy(2)")
{
	unsigned long nodes[BITS / 64];
	int mode;

	need_policies();
	memset(nodes, 0xff, sizeof(nodes));
	CHECK_OK(syscall(SYS_get_mempolicy, NULL, nodes, BITS, NULL, MPOL_F_MEMS_ALLOWED));
	CHECK(nodes[0] & 1);
	CHECK_EQ(nodes[BITS / 64 - 1], 0);
	CHECK_OK(syscall(SYS_get_mempolicy, &mode, NULL, 0, &mode, MPOL_F_ADDR | MPOL_F_NODE));
	CHECK_EQ(mode, 0);
	CHECK_OK(set_policy(MPOL_INTERLEAVE, &node0));
	CHECK_OK(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, MPOL_F_NODE));
	CHECK_EQ(mode, 0);
}

CASE(get_mempolicy_errors, "get_mempolicy(2)")
{
	unsigned long nodes[BITS / 64];
	int mode;

	need_policies();
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, nodes, BITS, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, nodes, BITS, &mode, 0), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, nodes, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, nodes, BITS, NULL, MPOL_F_NODE), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, nodes, BITS, unmapped(), MPOL_F_ADDR), EFAULT);
	CHECK_ERR(syscall(SYS_get_mempolicy, NULL, nodes, BITS, NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_NODE), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, unmapped(), NULL, 0, NULL, 0), EFAULT);
	CHECK_ERR(syscall(SYS_get_mempolicy, NULL, unmapped(), BITS, NULL, 0), EFAULT);
}

CASE(mbind_gives_a_range_its_own_policy, "mbind(2)")
{
	char *start = map_pages(4, MAP_PRIVATE);

	need_policies();
	CHECK_OK(bind_pages(start + PAGE, 2 * PAGE, MPOL_BIND, &node0));
	CHECK_EQ(policy_of(start), MPOL_DEFAULT);
	CHECK_EQ(policy_of(start + PAGE), MPOL_BIND);
	CHECK_EQ(policy_of(start + 2 * PAGE), MPOL_BIND);
	CHECK_EQ(policy_of(start + 3 * PAGE), MPOL_DEFAULT);
	CHECK_EQ(policy_of(NULL), MPOL_DEFAULT);
	CHECK_OK(mprotect(start, 4 * PAGE, PROT_READ));
	CHECK_EQ(policy_of(start + PAGE), MPOL_BIND);
	CHECK_OK(bind_pages(start, 4 * PAGE, MPOL_DEFAULT, NULL));
	CHECK_EQ(policy_of(start + PAGE), MPOL_DEFAULT);
}

CASE(mbind_errors, "mbind(2)")
{
	char *start = map_pages(4, MAP_PRIVATE);

	need_policies();
	CHECK_OK(munmap(start + PAGE, PAGE));
	CHECK_ERR(bind_pages(start + 1, PAGE, MPOL_BIND, &node0), EINVAL);
	CHECK_ERR(bind_pages(start, PAGE, 99, &node0), EINVAL);
	CHECK_ERR(bind_pages(start, PAGE, MPOL_DEFAULT, &node0), EINVAL);
	CHECK_ERR(bind_pages(start, -2UL * PAGE, MPOL_BIND, &node0), EINVAL);
	CHECK_ERR(bind_pages(start, 4 * PAGE, MPOL_BIND, &node0), EFAULT);
	CHECK_OK(bind_pages(start, 4 * PAGE, MPOL_DEFAULT, NULL));
	CHECK_ERR(bind_pages(start + PAGE, PAGE, MPOL_DEFAULT, NULL), EFAULT);
	CHECK_ERR(bind_pages(start, PAGE, MPOL_BIND, unmapped()), EFAULT);
	CHECK_ERR(syscall(SYS_mbind, start, PAGE, MPOL_BIND, &node0, 64, 8), EINVAL);
	CHECK_OK(bind_pages(start, 0, MPOL_BIND, &node0));
	CHECK_EQ(policy_of(start), MPOL_DEFAULT);
	CHECK_OK(syscall(SYS_mbind, start, PAGE, MPOL_BIND, &node0, 64, MPOL_MF_STRICT | MPOL_MF_MOVE));
}

CASE(moving_every_users_pages_needs_CAP_SYS_NICE, "mbind(2)")
{
	char *start = map_pages(1, MAP_PRIVATE);
	void *pages[1] = { start };
	int status[1];

	need_policies();
	if (geteuid() == 0)
		CHECK_OK(seteuid(65534));
	CHECK_ERR(syscall(SYS_mbind, start, PAGE, MPOL_BIND, &node0, 64, MPOL_MF_MOVE_ALL), EPERM);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, NULL, status, MPOL_MF_MOVE_ALL), EPERM);
}

CASE(migrate_pages_within_the_one_node, "migrate_pages(2)")
{
	need_policies();
	CHECK_EQ(syscall(SYS_migrate_pages, 0, 64, &node0, &node0), 0);
	CHECK_EQ(syscall(SYS_migrate_pages, getpid(), 64, &absent, &node0), 0);
	CHECK_ERR(syscall(SYS_migrate_pages, 0x3fffffff, 64, &node0, &node0), ESRCH);
	CHECK_ERR(syscall(SYS_migrate_pages, -1, 64, &node0, &node0), ESRCH);
	CHECK_ERR(syscall(SYS_migrate_pages, 0, 64, &node0, &none), EINVAL);
	CHECK_ERR(syscall(SYS_migrate_pages, 0, 64, unmapped(), &node0), EFAULT);
	CHECK_ERR(syscall(SYS_migrate_pages, 0, 64, &node0, unmapped()), EFAULT);
}

CASE(move_pages_tells_where_pages_are, "move_pages(2)")
{
	char *start = map_pages(1, MAP_PRIVATE);
	void *untouched = map_pages(1, MAP_PRIVATE);
	void *pages[3] = { start, unmapped(), untouched };
	int status[3] = { 9, 9, 9 };

	need_policies();
	*start = 1;
	CHECK_EQ(syscall(SYS_move_pages, 0, 3, pages, NULL, status, 0), 0);
	CHECK_EQ(status[0], 0);
	CHECK_EQ(status[1], -EFAULT);
	CHECK_EQ(status[2], -ENOENT);
}

CASE(move_pages_errors, "move_pages(2)")
{
	char *start = map_pages(1, MAP_PRIVATE);
	void *pages[1] = { start };
	int status[1], nodes[1] = { 0 }, wrong[1] = { 63 }, negative[1] = { -1 };

	need_policies();
	*start = 1;
	CHECK_EQ(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE), 0);
	CHECK_EQ(status[0], 0);
	CHECK_EQ(syscall(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0), 0);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, wrong, status, MPOL_MF_MOVE), ENODEV);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, negative, status, MPOL_MF_MOVE), ENODEV);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_STRICT), EINVAL);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, nodes, status, 8), EINVAL);
	CHECK_ERR(syscall(SYS_move_pages, 0x3fffffff, 1, pages, nodes, status, MPOL_MF_MOVE), ESRCH);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, unmapped(), NULL, status, 0), EFAULT);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, unmapped(), status, MPOL_MF_MOVE), EFAULT);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, NULL, unmapped(), 0), EFAULT);
}

CASE(a_home_node_is_for_bound_memory, "set_mempolicy_home_node(2)")
{
	enum { SET_HOME_NODE = 450 };
	char *start = map_pages(2, MAP_PRIVATE);

	need_policies();
	if (syscall(SET_HOME_NODE, start, 0, 0, 0) == -1 && errno == ENOSYS)
		SKIP("the kernel has no home nodes");
	CHECK_OK(bind_pages(start, PAGE, MPOL_BIND, &node0));
	CHECK_OK(syscall(SET_HOME_NODE, start, PAGE, 0, 0));
	CHECK_ERR(syscall(SET_HOME_NODE, start + PAGE, PAGE, 0, 0), ENOENT);
	CHECK_ERR(syscall(SET_HOME_NODE, start, PAGE, 63, 0), EINVAL);
	CHECK_ERR(syscall(SET_HOME_NODE, start, PAGE, -1, 0), EINVAL);
	CHECK_ERR(syscall(SET_HOME_NODE, start + 1, PAGE, 0, 0), EINVAL);
	CHECK_ERR(syscall(SET_HOME_NODE, start, PAGE, 0, 1), EINVAL);
	CHECK_OK(bind_pages(start, PAGE, MPOL_PREFERRED, &node0));
	CHECK_ERR(syscall(SET_HOME_NODE, start, PAGE, 0, 0), EOPNOTSUPP);
}

CASE(mapping_with_a_policy_is_as_any_other, "mbind(2)")
{
	char *pages = map_pages(4, MAP_PRIVATE);

	need_policies();
	CHECK_OK(syscall(SYS_mbind, pages, 4 * PAGE, MPOL_LOCAL, NULL, 0, 0));
	pages[0] = 7;
	CHECK_OK(madvise(pages, 4 * PAGE, MADV_COLD));
	CHECK_EQ(mremap(pages, 4 * PAGE, 2 * PAGE, 0), pages);
	CHECK_EQ(pages[0], 7);
	CHECK_OK(munmap(pages + PAGE, PAGE));
	CHECK_OK(munmap(pages, PAGE));
}
