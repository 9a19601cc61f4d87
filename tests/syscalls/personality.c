/* What the bits of personality(2) do to a 64-bit program. */
#include "harness.h"
#include "fixtures.h"

#include <sys/personality.h>
#include <sys/select.h>

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
