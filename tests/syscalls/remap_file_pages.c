/* Pages of a shared mapping in another order. */
#include "harness.h"
#include "fixtures.h"

enum { COUNT = 4 };

/* COUNT pages, each of which begins with its number. */
static char *numbered(int fd)
{
	char *start = CHECK_OK(mmap(NULL, COUNT * PAGE, PROT_READ | PROT_WRITE,
				    fd == -1 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0));

	for (int i = 0; i < COUNT; i++)
		start[i * PAGE] = '0' + i;
	return start;
}

static void reverse(char *start)
{
	for (int i = 0; i < COUNT; i++)
		CHECK_OK(remap_file_pages(start + i * PAGE, PAGE, 0, COUNT - 1 - i, 0));
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(start[i * PAGE], '0' + COUNT - 1 - i);
}

CASE(pages_of_a_file_are_reversed, "remap_file_pages(2)")
{
	int fd = make_file("file", "");

	CHECK_OK(ftruncate(fd, COUNT * PAGE));
	reverse(numbered(fd));
}

CASE(pages_of_shared_memory_are_reversed, "remap_file_pages(2)")
{
	reverse(numbered(-1));
}

CASE(remapped_shared_memory_survives_fork, "remap_file_pages(2)")
{
	char *start = numbered(-1);
	pid_t child;

	CHECK_OK(remap_file_pages(start, 2 * PAGE, 0, 2, 0));
	CHECK_EQ(start[0], '2');
	child = fork_child();
	if (child == 0) {
		start[PAGE + 1] = 'c';
		_exit(start[PAGE] == '3' ? 0 : 1);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(start[3 * PAGE + 1], 'c');
	CHECK_OK(remap_file_pages(start, PAGE, 0, 0, 0));
	CHECK_EQ(start[0], '0');
}

CASE(maps_shows_the_new_offset, "remap_file_pages(2)")
{
	char *start = numbered(-1), line[64];

	CHECK_OK(remap_file_pages(start, PAGE, 0, 2, 0));
	snprintf(line, sizeof(line), "%lx-%lx rw-s 00002000 ", (long)start, (long)start + PAGE);
	CHECK(strstr(text_of("/proc/self/maps"), line) != NULL);
	snprintf(line, sizeof(line), "%lx-%lx rw-s 00001000 ", (long)start + PAGE, (long)start + COUNT * PAGE);
	CHECK(strstr(text_of("/proc/self/maps"), line) != NULL);
}

CASE(addresses_are_rounded_down, "remap_file_pages(2)")
{
	char *start = numbered(-1);

	CHECK_OK(remap_file_pages(start + 100, PAGE + 100, 0, 1, 0));
	CHECK_EQ(start[0], '1');
	CHECK_EQ(start[PAGE], '1');
}

CASE(protection_stays, "remap_file_pages(2)")
{
	char *start = numbered(-1);
	pid_t child;

	CHECK_OK(mprotect(start, PAGE, PROT_READ));
	CHECK_OK(remap_file_pages(start, PAGE, 0, 3, 0));
	CHECK_EQ(start[0], '3');
	child = fork_child();
	if (child == 0) {
		start[0] = 1;
		_exit(0);
	}
	CHECK_KILLED(child, SIGSEGV);
}

CASE(beyond_the_memory_there_is_SIGBUS, "remap_file_pages(2)")
{
	char *start = numbered(-1);
	pid_t child;

	CHECK_OK(remap_file_pages(start, PAGE, 0, COUNT, 0));
	child = fork_child();
	if (child == 0)
		_exit(start[0]);
	CHECK_KILLED(child, SIGBUS);
}

CASE(errors_of_remap_file_pages, "remap_file_pages(2)")
{
	char *start = numbered(-1);

	CHECK_ERR(remap_file_pages(start, PAGE, PROT_READ, 0, 0), EINVAL);
	CHECK_ERR(remap_file_pages(start, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(remap_file_pages(start, 100, 0, 0, 0), EINVAL);
	CHECK_ERR(remap_file_pages(map_pages(1, MAP_PRIVATE), PAGE, 0, 0, 0), EINVAL);
	CHECK_ERR(remap_file_pages(unmapped(), PAGE, 0, 0, 0), EINVAL);
	CHECK_ERR(remap_file_pages(start, PAGE, 0, 1UL << 52, 0), EOVERFLOW);
	CHECK_ERR(remap_file_pages((char *)-PAGE, 2 * PAGE, 0, 0, 0), EINVAL);
}
