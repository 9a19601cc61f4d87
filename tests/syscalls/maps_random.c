/* /proc/self/maps and contents after thousands of random mmap, munmap, mprotect and madvise calls, against a
 * model: a table of pages. */
#include "harness.h"
#include "fixtures.h"

enum { PAGES = 96, FILE_PAGES = 64, STEPS = 2500, MAX_LENGTH = 24 };
enum kind { NONE, ANONYMOUS, RESERVELESS, FILE_PRIVATE, FILE_SHARED, FILE_READONLY };

struct page {
	enum kind kind;
	int prot;
	int index; /* of the file's page */
	bool written; /* privately */
	unsigned char content;
};

static struct page model[PAGES];
static char *arena;
static int both_ways, read_only; /* descriptors */
static unsigned char file_content[FILE_PAGES];
static bool touches; /* whether pages are written to: Linux then keeps some neighbours apart */
static char text[1 << 20], expected[1 << 18], found[1 << 18];
static uint64_t state;

static unsigned pick(unsigned limit)
{
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (unsigned)(state >> 33) % limit;
}

static bool is_file(const struct page *page)
{
	return page->kind >= FILE_PRIVATE;
}

static void letters(const struct page *page, char out[5])
{
	out[0] = page->prot & PROT_READ ? 'r' : '-';
	out[1] = page->prot & PROT_WRITE ? 'w' : '-';
	out[2] = page->prot & PROT_EXEC ? 'x' : '-';
	out[3] = page->kind >= FILE_SHARED ? 's' : 'p';
	out[4] = 0;
}

/* One line of text a mapping. What a file's mapping has been through may keep it apart from its like, and so
 * may written pages: such neighbours count as one. */
static size_t add_line(char *to, size_t at, uint64_t start, uint64_t end, const char *perms, uint64_t offset,
		       int kind)
{
	return at + (size_t)sprintf(to + at, "%llx-%llx %s %llx %d\n", (unsigned long long)(start - (uint64_t)arena),
				    (unsigned long long)(end - (uint64_t)arena), perms, (unsigned long long)offset, kind);
}

static void describe_model(void)
{
	size_t at = 0;

	expected[0] = 0;
	for (int i = 0, end; i < PAGES; i = end) {
		char perms[5], other[5];

		for (end = i + 1; end < PAGES && model[i].kind != NONE; end++) {
			letters(&model[i], perms);
			letters(&model[end], other);
			if (strcmp(perms, other) != 0 || is_file(&model[i]) != is_file(&model[end]) ||
			    model[end].kind == NONE)
				break;
			if (is_file(&model[i]) && model[end].index - model[i].index != end - i)
				break;
			if (!touches && !is_file(&model[i]) && model[i].kind != model[end].kind)
				break;
		}
		if (model[i].kind == NONE)
			continue;
		letters(&model[i], perms);
		at = add_line(expected, at, (uint64_t)(arena + i * PAGE), (uint64_t)(arena + end * PAGE), perms,
			      is_file(&model[i]) ? (uint64_t)model[i].index * PAGE : 0, is_file(&model[i]));
	}
}

static void describe_maps(void)
{
	int fd = CHECK_OK(open("/proc/self/maps", O_RDONLY));
	size_t size = 0, at = 0;
	ssize_t got;
	unsigned long start, end, offset, inode;
	unsigned long first = 0, last = 0, first_offset = 0;
	char perms[5], last_perms[5] = "";
	int last_file = 0;

	while ((got = CHECK_OK(read(fd, text + size, sizeof(text) - 1 - size))) > 0)
		size += (size_t)got;
	text[size] = 0;
	CHECK_OK(close(fd));
	found[0] = 0;
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		CHECK_EQ(sscanf(line, "%lx-%lx %4s %lx %*s %lu", &start, &end, perms, &offset, &inode), 5);
		if (end <= (uint64_t)arena || start >= (uint64_t)arena + PAGES * PAGE)
			continue;
		if (last == start && strcmp(perms, last_perms) == 0 && last_file == (inode != 0) &&
		    (touches || inode) && (!inode || first_offset + last - first == offset)) {
			last = end;
			continue;
		}
		if (last)
			at = add_line(found, at, first, last, last_perms, first_offset, last_file);
		first = start, last = end, first_offset = offset, last_file = inode != 0;
		strcpy(last_perms, perms);
	}
	if (last)
		add_line(found, at, first, last, last_perms, first_offset, last_file);
}

static void compare(int step)
{
	char *want = expected, *have = found;

	describe_model();
	describe_maps();
	while (*want && *have) {
		size_t length = strcspn(want, "\n") + 1;

		if (strncmp(want, have, length) != 0)
			break;
		want += length, have += length;
	}
	if (*want || *have)
		FAIL("step %d: expected \"%.*s\", found \"%.*s\"", step, (int)strcspn(want, "\n"), want,
		     (int)strcspn(have, "\n"), have);
}

static void compare_contents(int step)
{
	for (int i = 0; i < PAGES; i++) {
		unsigned char want = model[i].content;

		if (model[i].kind == NONE || !(model[i].prot & PROT_READ))
			continue;
		if (is_file(&model[i]) && !model[i].written)
			want = file_content[model[i].index];
		if ((unsigned char)arena[i * PAGE + 7] != want)
			FAIL("step %d, page %d (kind %d): %d, expected %d", step, i, model[i].kind,
			     arena[i * PAGE + 7], want);
	}
}

static int random_prot(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_EXEC };

	return prots[pick(sizeof(prots) / sizeof(*prots))];
}

static void map_random(int start, int count)
{
	enum kind kind = ANONYMOUS + pick(5);
	int flags = MAP_ANONYMOUS | MAP_PRIVATE, fd = -1, index = 0, prot = random_prot(), how = pick(4), at = start;
	bool taken = false;
	char *got;

	if (kind == RESERVELESS)
		flags |= MAP_NORESERVE;
	if (kind >= FILE_PRIVATE) {
		flags = kind == FILE_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
		fd = kind == FILE_SHARED || pick(2) ? both_ways : read_only;
		/* Neighbours that are pieces of one file, often: they are one mapping. */
		index = pick(2) ? start % (FILE_PAGES - MAX_LENGTH) : (int)pick(FILE_PAGES - MAX_LENGTH);
	}
	if (kind == FILE_READONLY)
		fd = read_only;
	if (kind == FILE_READONLY && prot & PROT_WRITE) {
		CHECK_ERR(mmap(arena + start * PAGE, count * PAGE, prot, flags | MAP_FIXED, fd, index * PAGE), EACCES);
		return;
	}
	for (int i = start; i < start + count; i++)
		taken = taken || model[i].kind != NONE;
	if (how == 0) {
		got = mmap(arena + start * PAGE, count * PAGE, prot, flags, fd, index * PAGE);
		CHECK(got != MAP_FAILED);
		CHECK((got == arena + start * PAGE) == !taken);
		if (taken) {
			CHECK_OK(munmap(got, count * PAGE));
			return;
		}
	} else if (how == 1) {
		got = mmap(arena + start * PAGE, count * PAGE, prot, flags | MAP_FIXED_NOREPLACE, fd, index * PAGE);
		CHECK(taken ? got == MAP_FAILED && errno == EEXIST : got == arena + start * PAGE);
		if (taken)
			return;
	} else {
		got = mmap(arena + start * PAGE, count * PAGE, prot, flags | MAP_FIXED, fd, index * PAGE);
		CHECK(got == arena + start * PAGE);
	}
	for (int i = 0; i < count; i++, at++)
		model[at] = (struct page){ kind, prot, index + i, false, 0 };
}

static void protect_random(int start, int count)
{
	int prot = random_prot(), error = 0, at = start;

	/* All up to the first hole, or to the first mapping that may not have it: its pages are all of one kind. */
	for (; at < start + count && !error; at++) {
		if (model[at].kind == NONE)
			error = ENOMEM;
		else if (model[at].kind == FILE_READONLY && prot & PROT_WRITE)
			error = EACCES;
		else
			model[at].prot = prot;
	}
	if (error)
		CHECK_ERR(mprotect(arena + start * PAGE, count * PAGE, prot), error);
	else
		CHECK_OK(mprotect(arena + start * PAGE, count * PAGE, prot));
}

static void discard_random(int start, int count)
{
	bool hole = false;

	for (int at = start; at < start + count; at++) {
		hole = hole || model[at].kind == NONE;
		model[at].written = false;
		model[at].content = 0;
	}
	if (hole)
		CHECK_ERR(madvise(arena + start * PAGE, count * PAGE, MADV_DONTNEED), ENOMEM);
	else
		CHECK_OK(madvise(arena + start * PAGE, count * PAGE, MADV_DONTNEED));
}

static void write_random(int start, int count)
{
	for (int at = start; at < start + count; at++) {
		unsigned char value = (unsigned char)(1 + pick(255));

		if (model[at].kind == NONE || !(model[at].prot & PROT_WRITE) || !(model[at].prot & PROT_READ))
			continue;
		arena[at * PAGE + 7] = (char)value;
		if (model[at].kind == FILE_SHARED)
			file_content[model[at].index] = value;
		else
			model[at].content = value, model[at].written = true;
	}
}

static void prepare_arena(void)
{
	both_ways = CHECK_OK(open("bytes", O_RDWR | O_CREAT | O_TRUNC, 0600));
	for (int i = 0; i < FILE_PAGES; i++) {
		char page[PAGE];

		memset(page, file_content[i] = (unsigned char)(i + 1), sizeof(page));
		CHECK_EQ(write(both_ways, page, sizeof(page)), (int)sizeof(page));
	}
	read_only = CHECK_OK(open("bytes", O_RDONLY));
	/* Holes at both ends keep what is around apart. */
	arena = CHECK_OK(mmap(NULL, (PAGES + 32) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK_OK(munmap(arena, (PAGES + 32) * PAGE));
	arena += 16 * PAGE;
}

static void run(uint64_t seed, bool with_writes)
{
	state = seed * 0x9e3779b97f4a7c15;
	touches = with_writes;
	memset(model, 0, sizeof(model));
	CHECK_OK(munmap(arena, PAGES * PAGE));
	for (int step = 0; step < STEPS; step++) {
		int count = 1 + (int)pick(pick(2) ? 4 : MAX_LENGTH), start = (int)pick((unsigned)(PAGES - count + 1));

		switch (pick(with_writes ? 7 : 6)) {
		case 0:
		case 1:
			map_random(start, count);
			break;
		case 2:
			CHECK_OK(munmap(arena + start * PAGE, count * PAGE));
			memset(model + start, 0, (size_t)count * sizeof(*model));
			break;
		case 3:
		case 4:
			protect_random(start, count);
			break;
		case 5:
			discard_random(start, count);
			break;
		default:
			write_random(start, count);
		}
		if (step % 5 == 0)
			compare(step);
		if (with_writes && step % 5 == 2)
			compare_contents(step);
	}
}

CASE(maps_agree_with_a_table_of_pages, "mmap(2)")
{
	prepare_arena();
	for (uint64_t seed = 1; seed <= 4; seed++)
		run(seed, false);
}

CASE(maps_and_contents_agree_with_a_table_of_pages, "mmap(2)")
{
	prepare_arena();
	run(11, true);
	run(12, true);
}

CASE(maps_agree_in_a_child_of_fork, "fork(2)")
{
	pid_t child;

	prepare_arena();
	run(21, true);
	child = fork_child();
	if (!child) {
		compare(-1);
		compare_contents(-1);
		for (int i = 0; i < 200; i++)
			protect_random((int)pick(PAGES - 4), 4);
		compare(-2);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
	compare(-3);
	compare_contents(-3);
}
