/* /sys and the files of /proc about the machine, as lscpu, free and language runtimes read them. */
#include "harness.h"
#include "fixtures.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/sysinfo.h>

#define CPU0 "/sys/devices/system/cpu/cpu0/"

static long field(const char *path, const char *name)
{
	char *line = strstr(text_of(path), name);

	if (!line)
		FAIL("%s has no %s", path, name);
	return strtol(line + strlen(name), NULL, 10);
}

static int count_of(const char *list)
{
	int count = 0, first, last, length;

	while (sscanf(list, "%d%n", &first, &length) == 1) {
		list += length;
		last = first;
		if (*list == '-' && sscanf(++list, "%d%n", &last, &length) == 1)
			list += length;
		count += last - first + 1;
		if (*list++ != ',')
			break;
	}
	return count;
}

CASE(online_cpus_are_those_of_cpuinfo, "sysfs(5)")
{
	int online = count_of(text_of("/sys/devices/system/cpu/online")), listed = 0;

	for (const char *at = text_of("/proc/cpuinfo"); (at = strstr(at, "processor\t")); at++)
		listed++;
	CHECK(online > 0);
	CHECK_EQ(listed, online);
	CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN), online);
}

CASE(each_cpu_has_a_place, "sysfs(5)")
{
	static const char *const names[] = {
		"core_cpus", "core_cpus_list", "core_id", "core_siblings", "core_siblings_list", "die_cpus_list",
		"die_id", "package_cpus_list", "physical_package_id", "thread_siblings", "thread_siblings_list"
	};
	char path[128];

	if (access(CPU0 "topology", X_OK))
		SKIP("no CPU 0");
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), CPU0 "topology/%s", names[i]);
		CHECK(strchr(text_of(path), '\n'));
	}
}

CASE(caches_are_told_with_their_geometry, "sysfs(5)")
{
	long ways, line, sets, size;

	if (access(CPU0 "cache/index0", X_OK))
		SKIP("nothing is known of the caches");
	ways = atol(text_of(CPU0 "cache/index0/ways_of_associativity"));
	line = atol(text_of(CPU0 "cache/index0/coherency_line_size"));
	sets = atol(text_of(CPU0 "cache/index0/number_of_sets"));
	size = atol(text_of(CPU0 "cache/index0/size"));
	CHECK_EQ(ways * line * sets, size * 1024);
	CHECK_EQ(atol(text_of(CPU0 "cache/index0/level")), 1);
}

CASE(there_is_a_memory_node, "sysfs(5)")
{
	CHECK(count_of(text_of("/sys/devices/system/node/online")) >= 1);
	CHECK(field("/sys/devices/system/node/node0/meminfo", "MemTotal:") > 0);
	CHECK(strstr(text_of("/sys/devices/system/node/node0/distance"), "10"));
}

CASE(meminfo_and_sysinfo_agree, "proc_meminfo(5)")
{
	struct sysinfo info;

	CHECK_OK(sysinfo(&info));
	CHECK_EQ(field("/proc/meminfo", "MemTotal:"), info.totalram / 1024 * info.mem_unit);
	CHECK(field("/proc/meminfo", "MemAvailable:") <= field("/proc/meminfo", "MemTotal:"));
	CHECK_EQ(field("/proc/meminfo", "Hugepagesize:"), 2048);
	CHECK(field("/proc/meminfo", "Zswap:") >= 0);
	CHECK(field("/proc/meminfo", "FilePmdMapped:") >= 0);
}

CASE(zones_tell_their_free_pages, "proc_zoneinfo(5)")
{
	CHECK(strstr(text_of("/proc/zoneinfo"), "Node 0, zone "));
	CHECK(field("/proc/zoneinfo", "  managed  ") > 0);
	CHECK(field("/proc/zoneinfo", "pages free ") > 0);
	CHECK(strstr(text_of("/proc/buddyinfo"), "Node 0, zone   Normal"));
}

CASE(settings_of_memory_are_told, "proc_sys_vm(5)")
{
	CHECK_EQ(atol(text_of("/proc/sys/vm/max_map_count")), 65530);
	CHECK(atol(text_of("/proc/sys/vm/page-cluster")) >= 0);
	CHECK(atol(text_of("/proc/sys/vm/overcommit_memory")) >= 0);
	CHECK_EQ(atol(text_of("/proc/sys/kernel/pid_max")) > 300, 1);
}

#define LO "/sys/class/net/lo/"

CASE(the_loopback_interface_is_described, "sysfs(5)")
{
	char target[64] = "";

	if (access(LO, F_OK) != 0)
		SKIP("no loopback interface in sysfs");
	CHECK(readlink("/sys/class/net/lo", target, sizeof(target) - 1) > 0);
	CHECK_STREQ(target, "../../devices/virtual/net/lo");
	CHECK_STREQ(text_of(LO "address"), "00:00:00:00:00:00\n");
	CHECK_STREQ(text_of(LO "addr_len"), "6\n");
	CHECK_STREQ(text_of(LO "ifindex"), "1\n");
	CHECK_STREQ(text_of(LO "type"), "772\n");
	CHECK_STREQ(text_of(LO "mtu"), "65536\n");
	CHECK_STREQ(text_of(LO "operstate"), "unknown\n");
	CHECK_STREQ(text_of(LO "carrier"), "1\n");
	CHECK_STREQ(text_of(LO "flags"), "0x9\n");
	CHECK_STREQ(text_of(LO "tx_queue_len"), "1000\n");
	CHECK_STREQ(text_of(LO "uevent"), "INTERFACE=lo\nIFINDEX=1\n");
	CHECK(access(LO "statistics/rx_bytes", R_OK) == 0);
	CHECK(access(LO "subsystem/lo/mtu", R_OK) == 0);
	CHECK_ERR(read(CHECK_OK(open(LO "speed", O_RDONLY)), target, sizeof(target)), EINVAL);
}

CASE(a_new_network_namespace_has_its_own_loopback_interface, "sysfs(5)")
{
	char text[16];
	int fd;

	NEEDS_ROOT();
	CHECK_OK(unshare(CLONE_NEWNET | CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mkdir("sys", 0755));
	CHECK_OK(mount("sysfs", "sys", "sysfs", 0, NULL));
	CHECK_STREQ(text_of("sys/class/net/lo/operstate"), "down\n");
	CHECK_STREQ(text_of("sys/class/net/lo/flags"), "0x8\n");
	CHECK_ERR(read(CHECK_OK(open("sys/class/net/lo/carrier", O_RDONLY)), text, sizeof(text)), EINVAL);
	fd = CHECK_OK(open("sys/class/net/lo/flags", O_WRONLY));
	CHECK_EQ(write(fd, "0x9", 3), 3);
	CHECK_STREQ(text_of("sys/class/net/lo/operstate"), "unknown\n");
	fd = CHECK_OK(open("sys/class/net/lo/mtu", O_WRONLY));
	CHECK_EQ(write(fd, "1500\n", 5), 5);
	CHECK_STREQ(text_of("sys/class/net/lo/mtu"), "1500\n");
	CHECK_ERR(write(fd, "many", 4), EINVAL);
	fd = CHECK_OK(open("sys/class/net/lo/carrier", O_WRONLY));
	CHECK_ERR(write(fd, "1", 1), EOPNOTSUPP);
	CHECK_OK(umount2("sys", MNT_DETACH));
}
