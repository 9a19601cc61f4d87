/* What the bits of personality(2) do to a 64-bit program. */
#include "harness.h"
#include "fixtures.h"

#include <linux/aio_abi.h>
#include <sys/personality.h>
#include <sys/select.h>
#include <sys/utsname.h>

#define LEGACY_BASE 0x2aaaaaaab000UL /* a third of the address space */
#define EVERY_BIT 0x0fff0000UL

static char marker;

/* As "report" this program tells its personality, and where things are, on descriptor 9. */
struct layout {
	unsigned persona;
	uintptr_t program, library, first, second, hinted, stack;
};

__attribute__((constructor)) static void report_layout(int argc, char **argv)
{
	struct layout layout = { .persona = (unsigned)personality(-1), .stack = (uintptr_t)&layout };

	if (argc != 1 || strcmp(argv[0], "report") != 0)
		return;
	layout.program = (uintptr_t)&marker;
	layout.library = (uintptr_t)&personality;
	layout.first = (uintptr_t)mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	layout.second = (uintptr_t)mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	layout.hinted = (uintptr_t)mmap((void *)(LEGACY_BASE / 2), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	_exit(write(9, &layout, sizeof(layout)) == sizeof(layout) ? 0 : 1);
}

/* What a copy of this program says that was executed with this personality. */
static struct layout layout_of(unsigned long persona, const char *program)
{
	struct layout layout;
	int ends[2];
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (!child) {
		personality(persona);
		dup2(ends[1], 9);
		execl(program, "report", NULL);
		_exit(9);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(read(ends[0], &layout, sizeof(layout)), sizeof(layout));
	return layout;
}

static void copy_self(const char *to, mode_t mode)
{
	int from = CHECK_OK(open("/proc/self/exe", O_RDONLY)), fd = CHECK_OK(open(to, O_WRONLY | O_CREAT | O_EXCL, 0700));
	static char buffer[1 << 20];
	ssize_t count;

	while ((count = CHECK_OK(read(from, buffer, sizeof(buffer)))) > 0)
		CHECK_EQ(write(fd, buffer, count), count);
	CHECK_OK(fchmod(fd, mode));
	CHECK_OK(close(fd));
	CHECK_OK(close(from));
}

static void check_protection(const void *at, const char *expected)
{
	char line[512], found[5] = "";
	unsigned long start, end, address = (unsigned long)at;
	FILE *maps = fopen("/proc/self/maps", "r");

	CHECK(maps);
	while (!found[0] && fgets(line, sizeof(line), maps)) {
		char text[5];

		if (sscanf(line, "%lx-%lx %4s", &start, &end, text) == 3 && start <= address && address < end)
			strcpy(found, text);
	}
	fclose(maps);
	CHECK_STREQ(found, expected);
}

CASE(READ_IMPLIES_EXEC_adds_execute_to_read, "personality(2)")
{
	char *before = map_pages(1, MAP_PRIVATE), *at;
	int fd = make_file("f", "text");

	CHECK_OK(personality(READ_IMPLIES_EXEC));
	at = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	check_protection(at, "r-xp");
	check_protection(CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)), "rwxp");
	check_protection(CHECK_OK(mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, fd, 0)), "-w-p");
	check_protection(before, "rw-p");
	CHECK_OK(mprotect(before, PAGE, PROT_READ));
	check_protection(before, "r-xp");
	CHECK_OK(mprotect(before, PAGE, PROT_WRITE));
	check_protection(before, "-w-p");
	at = sbrk(0);
	CHECK(sbrk(16 * PAGE) == at);
	check_protection(at + 4 * PAGE, "rwxp");
}

CASE(STICKY_TIMEOUTS_leaves_timeouts_alone, "personality(2)")
{
	struct timespec precise = { 0, 2000000 };
	struct timeval coarse = { 0, 2000 };

	CHECK_OK(syscall(SYS_select, 0, NULL, NULL, NULL, &coarse));
	CHECK_EQ(coarse.tv_usec, 0);
	CHECK_OK(personality(STICKY_TIMEOUTS));
	coarse.tv_usec = 2000;
	CHECK_OK(syscall(SYS_select, 0, NULL, NULL, NULL, &coarse));
	CHECK_EQ(coarse.tv_usec, 2000);
	CHECK_OK(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &precise, NULL));
	CHECK_EQ(precise.tv_nsec, 2000000);
	CHECK_OK(syscall(SYS_ppoll, NULL, 0, &precise, NULL, 8));
	CHECK_EQ(precise.tv_nsec, 2000000);
}

CASE(READ_IMPLIES_EXEC_ends_with_the_program, "personality(2)")
{
	pid_t child = fork_child();

	if (!child) {
		personality(READ_IMPLIES_EXEC | STICKY_TIMEOUTS | ADDR_NO_RANDOMIZE);
		execl("/bin/sh", "sh", "-c", "[ $(cat /proc/self/personality) = 04040000 ]", NULL);
		_exit(9);
	}
	CHECK_EXITS(child, 0);
}

CASE(any_number_is_kept, "personality(2)")
{
	CHECK_OK(personality(0x12345678));
	CHECK_EQ(personality(0xffffffff), 0x12345678);
	CHECK_EQ(personality(0xffffffff), 0x12345678);
}

CASE(ADDR_COMPAT_LAYOUT_places_mappings_upwards, "personality(2)")
{
	struct layout usual = layout_of(0, "/proc/self/exe"), legacy = layout_of(ADDR_COMPAT_LAYOUT, "/proc/self/exe");

	CHECK(usual.second + (1 << 20) == usual.first);
	CHECK(usual.library > usual.program);
	CHECK(legacy.library >= LEGACY_BASE && legacy.library < legacy.program);
	CHECK(legacy.first > legacy.library);
	CHECK(legacy.first + (1 << 20) == legacy.second);
	CHECK(legacy.second < legacy.program && legacy.program < legacy.stack);
	CHECK_EQ(legacy.hinted, LEGACY_BASE / 2 & ~4095);
	CHECK_EQ(legacy.persona, ADDR_COMPAT_LAYOUT);
}

CASE(the_layout_changes_with_the_next_program, "personality(2)")
{
	char *first, *second;

	CHECK_OK(personality(ADDR_COMPAT_LAYOUT));
	first = map_pages(256, MAP_PRIVATE);
	second = map_pages(256, MAP_PRIVATE);
	CHECK((uintptr_t)first > (uintptr_t)&marker);
	CHECK(second < first);
}

CASE(the_legacy_layout_is_inherited_by_fork, "personality(2), fork(2)")
{
	struct layout one = layout_of(ADDR_COMPAT_LAYOUT | ADDR_NO_RANDOMIZE, "/proc/self/exe");
	struct layout other = layout_of(ADDR_COMPAT_LAYOUT | ADDR_NO_RANDOMIZE, "/proc/self/exe");

	CHECK_EQ(memcmp(&one, &other, sizeof(one)), 0);
	CHECK(one.library - LEGACY_BASE < 1 << 24);
}

CASE(a_mapping_that_has_no_room_above_fails, "personality(2), mmap(2)")
{
	pid_t child = fork_child();

	if (!child) {
		personality(ADDR_COMPAT_LAYOUT);
		execl("/usr/bin/python3", "python3", "-c",
		      "import mmap,sys\n"
		      "try: mmap.mmap(-1, 0x600000000000, flags=0x4022, prot=0)\n"
		      "except OSError as error: sys.exit(error.errno)", NULL);
		_exit(9);
	}
	CHECK_EXITS(child, ENOMEM);
}

CASE(MMAP_PAGE_ZERO_is_for_those_with_CAP_SYS_RAWIO, "personality(2)")
{
	pid_t child = fork_child();

	if (!child) {
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(8);
		personality(MMAP_PAGE_ZERO);
		execl("/bin/sh", "sh", "-c", "! grep -q ^00000000- /proc/self/maps", NULL);
		_exit(9);
	}
	CHECK_EXITS(child, 0);
}

CASE(set_id_programs_do_not_inherit_dangerous_bits, "personality(2), execve(2)")
{
	unsigned kept = EVERY_BIT & ~READ_IMPLIES_EXEC;
	unsigned cleared = kept & ~(ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT | MMAP_PAGE_ZERO);

	copy_self("plain", 0755);
	copy_self("setuid", 04755);
	copy_self("setgid", 02755);
	copy_self("group", 02745); /* not executable by the group: a mark for locking, once */
	CHECK_EQ(layout_of(EVERY_BIT, "./plain").persona, kept);
	CHECK_EQ(layout_of(EVERY_BIT, "./setuid").persona, cleared); /* even if it changes nothing */
	CHECK_EQ(layout_of(EVERY_BIT, "./setgid").persona, cleared);
	CHECK_EQ(layout_of(EVERY_BIT, "./group").persona, kept);
	CHECK(layout_of(EVERY_BIT, "./setuid").library > LEGACY_BASE * 2);
}

CASE(PER_LINUX32_is_another_machine_to_uname, "personality(2), uname(2)")
{
	struct utsname names;

	CHECK_OK(personality(PER_LINUX32 | ADDR_LIMIT_3GB));
	CHECK_OK(uname(&names));
	CHECK_STREQ(names.machine, "i686");
	CHECK_OK(personality(PER_LINUX));
	CHECK_OK(uname(&names));
	CHECK_STREQ(names.machine, "x86_64");
}

CASE(READ_IMPLIES_EXEC_spares_files_that_nobody_executes, "personality(2)")
{
	aio_context_t context = 0;

	CHECK_OK(personality(READ_IMPLIES_EXEC));
	if (syscall(SYS_io_setup, 1, &context) != 0)
		SKIP("no asynchronous I/O: %s", errno_name(errno));
	check_protection((void *)context, "rw-s");
}
