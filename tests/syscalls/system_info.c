/* uname, sysinfo, getrandom, statfs and the vDSO: facts about the system rather than the process. */
#include "harness.h"
#include "fixtures.h"

#include <elf.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

CASE(uname_says_Linux_on_x86_64, "uname(2)")
{
	struct utsname name;
	int major;

	CHECK_OK(uname(&name));
	CHECK_STREQ(name.sysname, "Linux");
	CHECK_STREQ(name.machine, "x86_64");
	CHECK_EQ(sscanf(name.release, "%d.", &major), 1);
	CHECK(major >= 3);
	CHECK(name.version[0] == '#');
	CHECK(name.nodename[0] != '\0');
}

CASE(gethostname_is_the_node_name, "gethostname(2)")
{
	struct utsname name;
	char host[65];

	CHECK_OK(uname(&name));
	CHECK_OK(gethostname(host, sizeof(host)));
	CHECK_STREQ(host, name.nodename);
	CHECK_ERR(syscall(SYS_sethostname, "x", -1), geteuid() == 0 ? EINVAL : EPERM);
	CHECK_ERR(syscall(SYS_sethostname, "x", 65), geteuid() == 0 ? EINVAL : EPERM);
}

CASE(sysinfo_tells_memory_and_processes, "sysinfo(2)")
{
	struct sysinfo info;

	CHECK_OK(sysinfo(&info));
	CHECK(info.uptime >= 0);
	CHECK(info.totalram > 0);
	CHECK(info.freeram <= info.totalram);
	CHECK(info.mem_unit >= 1);
	CHECK(info.procs >= 1);
}

CASE(getrandom_fills_the_buffer_differently_each_time, "getrandom(2)")
{
	unsigned char first[64] = { 0 }, second[64] = { 0 };

	CHECK_EQ(getrandom(first, sizeof(first), 0), sizeof(first));
	CHECK_EQ(getrandom(second, sizeof(second), GRND_NONBLOCK), sizeof(second));
	CHECK(memcmp(first, second, sizeof(first)) != 0);
	CHECK_EQ(getrandom(first, 0, 0), 0);
}

CASE(getrandom_of_many_bytes_is_complete, "getrandom(2)")
{
	static unsigned char buffer[100000];
	int zeros = 0;

	CHECK_EQ(getrandom(buffer, sizeof(buffer), 0), sizeof(buffer));
	for (size_t i = sizeof(buffer) - 1000; i < sizeof(buffer); i++)
		zeros += buffer[i] == 0;
	CHECK(zeros < 100);
}

CASE(getrandom_errors, "getrandom(2)")
{
	char buffer[8];

	CHECK_ERR(getrandom(buffer, 8, 0x100), EINVAL);
	CHECK_ERR(getrandom(buffer, 8, GRND_RANDOM | 4 /* GRND_INSECURE */), EINVAL);
	CHECK_ERR(syscall(SYS_getrandom, unmapped(), 8, 0), EFAULT);
}

CASE(dev_urandom_and_random_give_bytes, "random(4)")
{
	char first[32] = { 0 }, second[32] = { 0 };

	CHECK_EQ(read(CHECK_OK(open("/dev/urandom", O_RDONLY)), first, sizeof(first)), sizeof(first));
	CHECK_EQ(read(CHECK_OK(open("/dev/random", O_RDONLY)), second, sizeof(second)), sizeof(second));
	CHECK(memcmp(first, second, sizeof(first)) != 0);
}

CASE(statfs_and_fstatfs_agree, "statfs(2)")
{
	struct statfs by_name, by_descriptor;

	CHECK_OK(statfs(".", &by_name));
	CHECK_OK(fstatfs(CHECK_OK(open(".", O_RDONLY)), &by_descriptor));
	CHECK_EQ(by_name.f_type, by_descriptor.f_type);
	CHECK_EQ(by_name.f_bsize, by_descriptor.f_bsize);
	CHECK(by_name.f_bsize > 0);
	CHECK_EQ(by_name.f_namelen, 255);
	CHECK_OK(statfs("/proc", &by_name));
	CHECK_EQ(by_name.f_type, 0x9fa0);
}

CASE(statfs_errors, "statfs(2)")
{
	struct statfs status;

	CHECK_ERR(statfs("missing", &status), ENOENT);
	CHECK_ERR(fstatfs(999, &status), EBADF);
	CHECK_ERR(syscall(SYS_statfs, ".", unmapped()), EFAULT);
	put_file("file", "");
	CHECK_ERR(statfs("file/x", &status), ENOTDIR);
}

CASE(vdso_is_an_ELF_shared_object, "vdso(7)")
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);

	CHECK(header != NULL);
	CHECK(memcmp(header->e_ident, ELFMAG, SELFMAG) == 0);
	CHECK_EQ(header->e_type, ET_DYN);
	CHECK_EQ(header->e_machine, EM_X86_64);
}

/* Reads a clock through glibc, which uses the vDSO. */
static long long vdso_nanoseconds(clockid_t clock)
{
	struct timespec now;

	CHECK_OK(clock_gettime(clock, &now));
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

CASE(vdso_clocks_agree_with_the_system_call, "vdso(7)")
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
	long long before, between, after;

	for (int i = 0; i < 3; i++) {
		before = nanoseconds(clocks[i]);
		between = vdso_nanoseconds(clocks[i]);
		after = nanoseconds(clocks[i]);
		CHECK(before <= between);
		CHECK(between <= after);
	}
}

static void *compare_clocks(void *unused)
{
	long long before = nanoseconds(CLOCK_MONOTONIC), between = vdso_nanoseconds(CLOCK_MONOTONIC);

	CHECK(before <= between && between <= nanoseconds(CLOCK_MONOTONIC));
	return unused;
}

CASE(vdso_works_in_threads_and_children, "vdso(7)")
{
	pthread_t thread;
	pid_t child = fork_child();
	struct timeval of_day;
	unsigned cpu, node;

	if (child == 0) {
		compare_clocks(NULL);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(pthread_create(&thread, NULL, compare_clocks, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(gettimeofday(&of_day, NULL));
	CHECK(time(NULL) - of_day.tv_sec <= 1);
	CHECK_OK(getcpu(&cpu, &node));
}

CASE(sync_and_syncfs_succeed, "sync(2)")
{
	CHECK_OK(syncfs(make_file("file", "x")));
	CHECK_ERR(syncfs(999), EBADF);
}
