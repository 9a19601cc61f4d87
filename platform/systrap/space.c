/* Spaces and their memory: the slots that a stub process shares with us, the facts that it may only read. */
#include "systrap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fcntl.h>

#define MOST_SPACES 32768

struct space *spaces;
struct world *world;
int world_fd = -1;
static int facts_fd = -1;
static uint8_t *all_facts;
static uint8_t taken[MOST_SPACES]; /* places in the facts file */
static int lowest; /* no free place below */

static uint32_t free_bells[BELL_COUNT]; /* given back */
static uint32_t nfree_bells, bells_given;

/* A file in memory that we can write and whoever gets its descriptor from now on can't. */
static void *read_only_file(const char *name, size_t size, int *result)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory = MAP_FAILED;
	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (memory != MAP_FAILED && fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0) {
		*result = fd;
		return memory;
	}
	int failed = errno;
	if (memory != MAP_FAILED)
		munmap(memory, size);
	if (fd >= 0)
		close(fd);
	errno = failed;
	return NULL;
}

int shared_init(void)
{
	world = read_only_file("world", WORLD_SIZE, &world_fd);
	bells_given = 0;
	nfree_bells = 0;
	if (world)
		all_facts = read_only_file("facts", (size_t)MOST_SPACES * FACTS_WINDOW, &facts_fd);
	return all_facts ? 0 : -errno;
}

void shared_shutdown(void)
{
	if (world)
		munmap(world, WORLD_SIZE);
	if (all_facts)
		munmap(all_facts, (size_t)MOST_SPACES * FACTS_WINDOW);
	if (world_fd >= 0)
		close(world_fd);
	if (facts_fd >= 0)
		close(facts_fd);
	world = NULL;
	all_facts = NULL;
	world_fd = facts_fd = -1;
	memset(taken, 0, sizeof taken);
	lowest = 0;
}

/* A word to sleep on; false: there is none. */
static bool take_bell(uint32_t *bell)
{
	if (nfree_bells)
		*bell = free_bells[--nfree_bells];
	else if (bells_given < BELL_COUNT)
		*bell = bells_given++;
	else
		return false;
	return true;
}

static int find_place(void)
{
	while (lowest < MOST_SPACES && taken[lowest])
		lowest++;
	if (lowest >= MOST_SPACES)
		return -1;
	taken[lowest] = 1;
	return lowest++;
}

static void free_place(int place)
{
	taken[place] = 0;
	if (place < lowest)
		lowest = place;
}

/* The memory for its slots, in a file for its stub. */
static int make_window(struct space *space)
{
	int fd = memfd_create("slots", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, WINDOW_SIZE) < 0)
		goto fail;
	space->window = mmap(NULL, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (space->window != MAP_FAILED)
		return fd;
fail:
	space->window = NULL;
	int failed = -errno;
	close(fd);
	return failed;
}

struct space *space_make(int fds[3])
{
	struct space *space = calloc(1, sizeof *space);
	int ends[2] = {-1, -1}, failed = ENOMEM, slots;
	if (!space)
		goto fail;
	space->place = find_place();
	if (space->place < 0)
		goto fail;
	slots = make_window(space);
	if (slots < 0) {
		failed = -slots;
		goto fail;
	}
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0) {
		failed = errno;
		close(slots);
		goto fail;
	}
	space->socket = ends[0];
	space->facts = (struct facts *)(all_facts + (size_t)space->place * FACTS_WINDOW);
	fds[0] = ends[1], fds[1] = slots, fds[2] = facts_fd;
	space->next = spaces;
	spaces = space;
	return space;
fail:
	if (space && space->window)
		munmap(space->window, WINDOW_SIZE);
	if (space && space->place >= 0)
		free_place(space->place);
	free(space);
	errno = failed;
	return NULL;
}

void space_close_fds(int fds[3])
{
	close(fds[0]);
	close(fds[1]); /* fds[2] is for all spaces */
}

void space_free(struct space *space)
{
	struct space **link = &spaces;
	while (*link != space)
		link = &(*link)->next;
	*link = space->next;
	child_disown(space);
	sites_free(space);
	munmap(space->window, WINDOW_SIZE);
	close(space->socket);
	free_place(space->place);
	free(space);
}

/* A slot that no host thread uses; -1: there is none. */
static int free_slot(struct space *space)
{
	for (struct thread **link = &space->dismissed; *link; link = &(*link)->next) {
		struct thread *gone = *link;
		if (__atomic_load_n(&gone->slot->alive, __ATOMIC_ACQUIRE))
			continue;
		int index = gone->index;
		*link = gone->next;
		thread_free(gone);
		return index;
	}
	return space->used < SLOT_COUNT ? space->used++ : -1;
}

/* The record of a host thread to be, with a slot that is ours. */
struct thread *thread_make(struct space *space)
{
	int index = free_slot(space);
	struct thread *thread = index >= 0 ? calloc(1, sizeof *thread) : NULL;
	if (!thread)
		return NULL;
	if (!take_bell(&thread->bell)) {
		free(thread);
		return NULL;
	}
	thread->index = index;
	thread->slot = (struct slot *)(space->window + (size_t)index * SLOT_SIZE);
	thread->slot->turn = TURN_SENTRY;
	thread->slot->alive = 1;
	thread->slot->bell = thread->bell;
	thread->slot->kick = 0;
	memset(space->facts + index, 0, sizeof *space->facts);
	thread->base.space = &space->base;
	thread->sibling = space->threads;
	space->threads = thread;
	return thread;
}

void thread_free(struct thread *thread)
{
	wait_forget(thread);
	struct thread **link = &space_of(thread)->threads;
	while (*link != thread)
		link = &(*link)->sibling;
	*link = thread->sibling;
	free_bells[nfree_bells++] = thread->bell;
	free(thread);
}
