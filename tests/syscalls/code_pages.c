/* Code that makes calls, whose page is rewritten, moved, replaced, shared or protected afterwards. */
#include "harness.h"
#include "fixtures.h"
#include "sites.h"

CASE(code_written_and_made_executable_runs_as_written, "mprotect(2)")
{
	unsigned char *page = code_page(RW);

	for (int turn = 0; turn < 12; turn++) {
		enum form form = turn % FORMS;

		allow(page, RW);
		put_site(page, form, SYS_getpid);
		allow(page, RX);
		enter_often(page, SYS_getpid, getpid());
		allow(page, RW);
		put_site(page, form, SYS_getppid);
		allow(page, RX);
		enter_often(page, SYS_getppid, getppid());
		allow(page, RW);
		put_constant(page, turn);
		allow(page, RX);
		enter_often(page, 0, turn);
	}
}

CASE(code_in_a_writable_page_can_be_overwritten_while_executable, "mmap(2)")
{
	unsigned char *page = code_page(RWX);

	for (int turn = 0; turn < 30; turn++) {
		put_site(page, turn % FORMS, SYS_getpid);
		enter_often(page, SYS_getpid, getpid());
		put_constant(page, turn);
		enter_often(page, 0, turn);
	}
}

CASE(code_made_writable_after_use_can_be_patched_in_place, "mprotect(2)")
{
	unsigned char *page = code_page(RW);
	int number = SYS_getppid;

	put_site(page, NUMBER_BEFORE, SYS_getpid);
	allow(page, RX);
	enter_often(page, 0, getpid());
	allow(page, RWX);
	CHECK_EQ(page[0], 0xb8);
	memcpy(page + 1, &number, 4); /* its number only: the rest must be what was written there */
	enter_often(page, 0, getppid());
}

CASE(new_code_at_the_address_of_unmapped_code_is_what_runs, "munmap(2)")
{
	unsigned char *page = code_page(RW);

	for (int turn = 0; turn < 20; turn++) {
		put_site(page, turn % FORMS, SYS_getpid);
		allow(page, RX);
		enter_often(page, SYS_getpid, getpid());
		if (turn % 3 == 0)
			CHECK_OK(munmap(page, PAGE));
		CHECK(mmap(page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);
		put_constant(page, turn);
		allow(page, RX);
		enter_often(page, 0, turn);
		allow(page, RW);
	}
}

CASE(code_moved_by_mremap_runs_at_its_new_place, "mremap(2)")
{
	for (int turn = 0; turn < 10; turn++) {
		unsigned char *page = code_page(RW), *place = code_page(PROT_NONE);

		put_site(page + 100, turn % FORMS, SYS_getpid);
		allow(page, RX);
		enter_often(page + 100, SYS_getpid, getpid());
		CHECK(mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
		enter_often(place + 100, SYS_getpid, getpid());
		enter_often(place + 100, SYS_getpid, getpid());
		CHECK_OK(munmap(place, PAGE));
	}
}

CASE(code_read_after_use_is_unchanged_around_its_calls, "mmap(2)")
{
	unsigned char *page = code_page(RW), before[PAGE];
	size_t at = 1000, length;

	memset(page, 0x90, PAGE);
	length = put_site(page + at, NUMBER_BEFORE, SYS_getpid);
	put_site(page + 2000, COMPARE_BEHIND, 0);
	memcpy(before, page, PAGE);
	allow(page, RX);
	enter_often(page + at, 0, getpid());
	enter_often(page + 2000, SYS_getpid, getpid());
	CHECK(memcmp(page, before, at) == 0);
	CHECK(memcmp(page + at + length - 1, before + at + length - 1, 2000 - at - length + 1) == 0);
	CHECK(memcmp(page + 2008, before + 2008, PAGE - 2008) == 0);
}

CASE(code_with_calls_on_both_sides_of_a_page_s_end_runs, "mmap(2)")
{
	unsigned char *pages = CHECK_OK(mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (int before = 1; before < 16; before++) { /* so many bytes of it are in the first page */
		for (int form = 0; form < FORMS; form++) {
			CHECK_OK(mprotect(pages, 2 * PAGE, RW));
			put_site(pages + PAGE - before, form, SYS_getpid);
			CHECK_OK(mprotect(pages, 2 * PAGE, RX));
			enter_often(pages + PAGE - before, SYS_getpid, getpid());
			CHECK_OK(mprotect(pages + PAGE, PAGE, RW));
			CHECK_OK(mprotect(pages + PAGE, PAGE, RX));
			enter_often(pages + PAGE - before, SYS_getpid, getpid());
		}
	}
}

CASE(shared_code_runs_in_two_processes_and_changes_in_both, "memfd_create(2)")
{
	int file = CHECK_OK(memfd_create("code", 0)), there[2], back[2];
	unsigned char *code, *view;
	pid_t child;

	CHECK_OK(ftruncate(file, PAGE));
	view = CHECK_OK(mmap(NULL, PAGE, RW, MAP_SHARED, file, 0));
	code = CHECK_OK(mmap(NULL, PAGE, RX, MAP_SHARED, file, 0));
	put_site(view, NUMBER_BEFORE, SYS_getpid);
	put_site(view + 100, COMPARE_BEHIND, 0);
	enter_often(code, 0, getpid());
	CHECK_OK(pipe(there));
	CHECK_OK(pipe(back));
	child = fork_child();
	if (child == 0) {
		enter_often(code, 0, getpid());
		enter_often(code + 100, SYS_getpid, getpid());
		tell(back[1]);
		await(there[0]);
		enter_often(code, 0, 77);
		put_constant(view, 78);
		_exit(0);
	}
	enter_often(code, 0, getpid());
	await(back[0]);
	enter_often(code + 100, SYS_getpid, getpid());
	put_constant(view, 77);
	enter_often(code, 0, 77);
	tell(there[1]);
	CHECK_EXITS(child, 0);
	enter_often(code, 0, 78);
}

CASE(private_code_of_a_file_does_not_change_the_file, "mmap(2)")
{
	unsigned char bytes[PAGE] = { 0 }, again[PAGE], *code, *other;
	int file = CHECK_OK(open("code", O_RDWR | O_CREAT, 0700));

	put_site(bytes, NUMBER_BEFORE, SYS_getpid);
	put_site(bytes + 100, COMPARE_BEHIND, 0);
	CHECK_EQ(write(file, bytes, PAGE), PAGE);
	code = CHECK_OK(mmap(NULL, PAGE, RX, MAP_PRIVATE, file, 0));
	other = CHECK_OK(mmap(NULL, PAGE, RX, MAP_PRIVATE, file, 0));
	enter_often(code, 0, getpid());
	enter_often(code + 100, SYS_getpid, getpid());
	CHECK_EQ(pread(file, again, PAGE, 0), PAGE);
	CHECK(memcmp(bytes, again, PAGE) == 0);
	CHECK(memcmp(bytes, other, PAGE) == 0);
	enter_often(other, 0, getpid());
	CHECK_OK(madvise(code, PAGE, MADV_DONTNEED)); /* its own copies of pages are dropped */
	enter_often(code, 0, getpid());
	enter_often(code + 100, SYS_getpid, getpid());
	CHECK_OK(munmap(code, PAGE));
	enter_often(other + 100, SYS_getpid, getpid());
}

CASE(forked_child_s_code_is_its_own, "fork(2)")
{
	unsigned char *page = code_page(RW);
	pid_t child;

	put_site(page, NUMBER_BEFORE, SYS_getpid);
	allow(page, RX);
	enter_often(page, 0, getpid());
	child = fork_child();
	if (child == 0) {
		pid_t grandchild;

		enter_often(page, 0, getpid());
		grandchild = fork_child();
		if (grandchild == 0) {
			enter_often(page, 0, getpid());
			allow(page, RW);
			put_constant(page, 5);
			allow(page, RX);
			enter_often(page, 0, 5);
			_exit(0);
		}
		CHECK_EXITS(grandchild, 0);
		enter_often(page, 0, getpid());
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	enter_often(page, 0, getpid());
}

CASE(unmapped_code_faults, "munmap(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		unsigned char *page = code_page(RW);

		put_site(page, NUMBER_BEFORE, SYS_getpid);
		allow(page, RX);
		enter_often(page, 0, getpid());
		CHECK_OK(munmap(page, PAGE));
		enter(page, 0, 0, 0, 0);
		_exit(0);
	}
	CHECK_KILLED(child, SIGSEGV);
}

CASE(code_made_unexecutable_faults_and_runs_again_later, "mprotect(2)")
{
	unsigned char *page = code_page(RW);

	put_site(page, COMPARE_BEHIND, 0);
	allow(page, RX);
	for (int turn = 0; turn < 5; turn++) {
		pid_t child;

		enter_often(page, SYS_getpid, getpid());
		allow(page, turn & 1 ? PROT_NONE : PROT_READ);
		child = fork_child();
		if (child == 0) {
			enter(page, SYS_getpid, 0, 0, 0);
			_exit(0);
		}
		CHECK_KILLED(child, SIGSEGV);
		allow(page, RX);
	}
	enter_often(page, SYS_getpid, getpid());
}
