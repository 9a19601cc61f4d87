/* Robust futexes: a lock whose owner died is marked and handed on. */
#include "harness.h"
#include "fixtures.h"

#include <linux/futex.h>
#include <pthread.h>

struct lock {
	struct robust_list link;
	uint32_t word;
};

/* In a child: takes the lock by hand, registers it, and dies holding it. */
static void die_holding(struct lock *lock, uint32_t word_flags, bool pending)
{
	struct robust_list_head head = {
		.list = { pending ? &head.list : &lock->link },
		.futex_offset = offsetof(struct lock, word),
		.list_op_pending = pending ? &lock->link : NULL,
	};

	lock->link.next = &head.list;
	lock->word = gettid() | word_flags;
	CHECK_OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
	_exit(0);
}

CASE(death_of_the_owner_sets_FUTEX_OWNER_DIED, "get_robust_list(2)")
{
	struct lock *lock = map_pages(1, MAP_SHARED);
	pid_t child = fork_child();

	if (child == 0)
		die_holding(lock, 0, false);
	CHECK_EXITS(child, 0);
	CHECK_EQ(lock->word, FUTEX_OWNER_DIED);
}

CASE(lock_being_taken_counts_too, "get_robust_list(2)")
{
	struct lock *lock = map_pages(1, MAP_SHARED);
	pid_t child = fork_child();

	if (child == 0)
		die_holding(lock, 0, true);
	CHECK_EXITS(child, 0);
	CHECK_EQ(lock->word, FUTEX_OWNER_DIED);
}

CASE(word_of_another_owner_is_left_alone, "get_robust_list(2)")
{
	struct lock *lock = map_pages(1, MAP_SHARED);
	struct robust_list_head head = { .futex_offset = offsetof(struct lock, word) };
	pid_t child = fork_child();

	if (child == 0) {
		head.list.next = &lock->link;
		lock->link.next = &head.list;
		lock->word = getppid();
		syscall(SYS_set_robust_list, &head, sizeof(head));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(lock->word, getpid());
}

CASE(a_waiter_is_woken_when_the_owner_dies, "get_robust_list(2)")
{
	struct lock *lock = map_pages(1, MAP_SHARED);
	int ready[2], go[2];
	pid_t owner;
	uint32_t held;

	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	owner = fork_child();
	if (owner == 0) {
		lock->word = gettid() | FUTEX_WAITERS;
		tell(ready[1]);
		await(go[0]);
		die_holding(lock, FUTEX_WAITERS, false);
	}
	await(ready[0]);
	held = lock->word;
	tell(go[1]);
	while (!(lock->word & FUTEX_OWNER_DIED))
		syscall(SYS_futex, &lock->word, FUTEX_WAIT, held, NULL, NULL, 0);
	CHECK_EQ(lock->word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
	CHECK_EXITS(owner, 0);
}

CASE(pthread_robust_mutex_gives_EOWNERDEAD, "pthread_mutexattr_setrobust(3)")
{
	pthread_mutex_t *mutex = map_pages(1, MAP_SHARED);
	pthread_mutexattr_t attributes;
	pid_t child;

	CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
	CHECK_EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
	CHECK_EQ(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
	CHECK_EQ(pthread_mutex_init(mutex, &attributes), 0);
	child = fork_child();
	if (child == 0)
		_exit(pthread_mutex_lock(mutex));
	CHECK_EXITS(child, 0);
	CHECK_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(mutex), 0);
	CHECK_EQ(pthread_mutex_lock(mutex), 0);
}

CASE(circular_or_wild_list_does_no_harm, "get_robust_list(2)")
{
	struct lock *locks = map_pages(1, MAP_SHARED);
	struct robust_list_head head = { .futex_offset = offsetof(struct lock, word) };
	pid_t child = fork_child();

	if (child == 0) {
		head.list.next = &locks[0].link;
		locks[0].link.next = &locks[1].link;
		locks[1].link.next = &locks[0].link;
		syscall(SYS_set_robust_list, &head, sizeof(head));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	child = fork_child();
	if (child == 0) {
		head.list.next = unmapped();
		syscall(SYS_set_robust_list, &head, sizeof(head));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	child = fork_child();
	if (child == 0) {
		syscall(SYS_set_robust_list, unmapped(), sizeof(head));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(get_robust_list_returns_what_was_set, "get_robust_list(2)")
{
	struct robust_list_head head = { .list = { &head.list } }, *seen;
	size_t length;

	CHECK_OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
	CHECK_OK(syscall(SYS_get_robust_list, 0, &seen, &length));
	CHECK(seen == &head);
	CHECK_EQ(length, sizeof(head));
	CHECK_ERR(syscall(SYS_set_robust_list, &head, 8), EINVAL);
	CHECK_ERR(syscall(SYS_get_robust_list, 0x3fffffff, &seen, &length), ESRCH);
}
