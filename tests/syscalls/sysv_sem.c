/* semget(2), semop(2), semtimedop(2), semctl(2). */
#include "harness.h"
#include "fixtures.h"

#include <grp.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/sem.h>

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static struct semid_ds about;

static int new_set(int count)
{
	return CHECK_OK(semget(IPC_PRIVATE, count, 0600));
}

static void removed(int id)
{
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

static int operate(int id, int number, int change, int flags)
{
	struct sembuf operation = { number, change, flags };

	return semop(id, &operation, 1);
}

static int value_of(int id, int number)
{
	return CHECK_OK(semctl(id, number, GETVAL));
}

static void assign(int id, int number, int value)
{
	CHECK_OK(semctl(id, number, SETVAL, (union semun){ .val = value }));
}

static int describe(int id)
{
	return semctl(id, 0, IPC_STAT, (union semun){ .buf = &about });
}

/* Until so many wait for the semaphore to rise, or with GETZCNT to become zero. */
static void until_waiting(int id, int number, int count, int command)
{
	for (int tries = 0; tries < 2000 && semctl(id, number, command) != count; tries++)
		usleep(2000);
	CHECK_EQ(semctl(id, number, command), count);
}

CASE(a_new_set_is_described, "semctl(2)")
{
	int id = CHECK_OK(semget(IPC_PRIVATE, 3, IPC_CREAT | 0640));
	time_t now = time(NULL);

	CHECK_OK(describe(id));
	CHECK_EQ(about.sem_nsems, 3);
	CHECK_EQ(about.sem_otime, 0);
	CHECK(about.sem_ctime >= now - 1 && about.sem_ctime <= now + 10);
	CHECK_EQ(about.sem_perm.mode, 0640);
	CHECK_EQ(about.sem_perm.cuid, geteuid());
	CHECK_EQ(about.sem_perm.gid, getegid());
	for (int number = 0; number < 3; number++) {
		CHECK_EQ(value_of(id, number), 0);
		CHECK_EQ(semctl(id, number, GETPID), 0);
	}
	removed(id);
}

CASE(a_key_finds_the_set, "semget(2)")
{
	key_t key = 0x5e400000 + getpid();
	int id = CHECK_OK(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600));

	CHECK_EQ(semget(key, 2, 0), id);
	CHECK_EQ(semget(key, 0, IPC_CREAT), id);
	CHECK_ERR(semget(key, 3, 0), EINVAL);
	CHECK_ERR(semget(key, 2, IPC_CREAT | IPC_EXCL), EEXIST);
	removed(id);
	CHECK_ERR(semget(key, 2, 0), ENOENT);
	CHECK_ERR(semget(key, 0, IPC_CREAT | 0600), EINVAL);
}

CASE(the_number_of_semaphores_is_checked, "semget(2)")
{
	CHECK_ERR(semget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERR(semget(IPC_PRIVATE, -1, 0600), EINVAL);
	CHECK_ERR(semget(IPC_PRIVATE, 32001, 0600), EINVAL);
}

CASE(operations_change_the_value, "semop(2)")
{
	int id = new_set(2);

	CHECK_OK(operate(id, 1, 5, 0));
	CHECK_OK(operate(id, 1, -3, 0));
	CHECK_EQ(value_of(id, 1), 2);
	CHECK_EQ(semctl(id, 1, GETPID), getpid());
	CHECK_EQ(value_of(id, 0), 0);
	CHECK_EQ(semctl(id, 0, GETPID), 0);
	CHECK_OK(operate(id, 0, 0, 0));
	CHECK_EQ(semctl(id, 0, GETPID), getpid());
	CHECK_OK(describe(id));
	CHECK(about.sem_otime > 0);
	CHECK_ERR(operate(id, 1, 0, IPC_NOWAIT), EAGAIN);
	CHECK_ERR(operate(id, 1, -3, IPC_NOWAIT), EAGAIN);
	removed(id);
}

CASE(all_operations_are_done_or_none, "semop(2)")
{
	int id = new_set(2);
	struct sembuf both[] = { { 0, 2, 0 }, { 1, -1, IPC_NOWAIT } };
	struct sembuf twice[] = { { 0, 1, 0 }, { 0, -1, 0 }, { 0, 0, IPC_NOWAIT } };

	CHECK_ERR(semop(id, both, 2), EAGAIN);
	CHECK_EQ(value_of(id, 0), 0);
	CHECK_EQ(semctl(id, 0, GETPID), 0);
	CHECK_OK(semop(id, twice, 3));
	removed(id);
}

CASE(bad_operations_are_refused, "semop(2)")
{
	int id = new_set(1);
	struct sembuf one = { 0, 1, 0 }, many[501] = { { 0, 0, 0 } };

	CHECK_ERR(semop(id, &one, 0), EINVAL);
	CHECK_ERR(semop(-1, &one, 1), EINVAL);
	CHECK_ERR(semop(id, many, 501), E2BIG);
	CHECK_OK(semop(id, many, 500));
	CHECK_ERR(semop(id, (void *)8, 1), EFAULT);
	CHECK_ERR(operate(id, 1, 1, 0), EFBIG);
	removed(id);
	CHECK_ERR(semop(id, &one, 1), EINVAL);
}

CASE(values_past_the_maximum_give_ERANGE, "semop(2)")
{
	int id = new_set(1);

	CHECK_OK(operate(id, 0, 32767, 0));
	CHECK_ERR(operate(id, 0, 1, 0), ERANGE);
	CHECK_EQ(value_of(id, 0), 32767);
	CHECK_ERR(semctl(id, 0, SETVAL, (union semun){ .val = 32768 }), ERANGE);
	CHECK_ERR(semctl(id, 0, SETVAL, (union semun){ .val = -1 }), ERANGE);
	removed(id);
}

CASE(a_decrease_waits_for_an_increase, "semop(2)")
{
	int id = new_set(1);
	pid_t child = fork_child();

	if (child == 0)
		_exit(operate(id, 0, -2, 0) != 0);
	until_waiting(id, 0, 1, GETNCNT);
	CHECK_EQ(semctl(id, 0, GETZCNT), 0);
	CHECK_OK(operate(id, 0, 1, 0));
	until_waiting(id, 0, 1, GETNCNT);
	CHECK_OK(operate(id, 0, 1, 0));
	CHECK_EXITS(child, 0);
	CHECK_EQ(value_of(id, 0), 0);
	CHECK_EQ(semctl(id, 0, GETPID), child);
	removed(id);
}

CASE(zero_is_waited_for, "semop(2)")
{
	int id = new_set(1);
	pid_t child;

	assign(id, 0, 2);
	child = fork_child();
	if (child == 0)
		_exit(operate(id, 0, 0, 0) != 0);
	until_waiting(id, 0, 1, GETZCNT);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_OK(operate(id, 0, -2, 0));
	CHECK_EXITS(child, 0);
	removed(id);
}

CASE(SETVAL_and_SETALL_wake, "semctl(2)")
{
	unsigned short values[] = { 0, 1 };
	int id = new_set(2);
	pid_t child = fork_child();

	if (child == 0)
		_exit(operate(id, 0, -1, 0) != 0 || operate(id, 1, -1, 0) != 0);
	until_waiting(id, 0, 1, GETNCNT);
	assign(id, 0, 1);
	until_waiting(id, 1, 1, GETNCNT);
	CHECK_OK(semctl(id, 0, SETALL, (union semun){ .array = values }));
	CHECK_EXITS(child, 0);
	removed(id);
}

CASE(GETALL_and_SETALL_transfer_all_values, "semctl(2)")
{
	unsigned short values[] = { 7, 8, 32767 }, got[3], big[] = { 1, 32768, 1 };
	int id = new_set(3);

	CHECK_OK(semctl(id, 0, SETALL, (union semun){ .array = values }));
	CHECK_OK(semctl(id, 0, GETALL, (union semun){ .array = got }));
	CHECK(memcmp(values, got, sizeof(got)) == 0);
	CHECK_EQ(semctl(id, 2, GETPID), getpid());
	CHECK_ERR(semctl(id, 0, SETALL, (union semun){ .array = big }), ERANGE);
	CHECK_EQ(value_of(id, 0), 7);
	CHECK_ERR(semctl(id, 0, SETALL, (union semun){ .array = (void *)8 }), EFAULT);
	CHECK_ERR(semctl(id, 0, GETALL, (union semun){ .array = (void *)8 }), EFAULT);
	removed(id);
}

CASE(removal_ends_waits_with_EIDRM, "semctl(2)")
{
	int id = new_set(1);
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_ERR(operate(id, 0, -1, 0), EIDRM);
		_exit(0);
	}
	until_waiting(id, 0, 1, GETNCNT);
	removed(id);
	CHECK_EXITS(child, 0);
}

CASE(a_signal_ends_a_wait_and_SA_RESTART_does_not_help, "signal(7)")
{
	int id = new_set(1);

	alarm_often(count_signal, SA_RESTART);
	CHECK_ERR(operate(id, 0, -1, 0), EINTR);
	still();
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	removed(id);
}

CASE(semtimedop_gives_up, "semop(2)")
{
	struct timespec little = { 0, 20000000 }, none = { 0, 0 }, bad = { 0, 1000000000 }, negative = { -1, 0 };
	struct sembuf down = { 0, -1, 0 };
	int id = new_set(1);
	long long start = nanoseconds(CLOCK_MONOTONIC);

	CHECK_ERR(semtimedop(id, &down, 1, &little), EAGAIN);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - start >= 20000000);
	CHECK_ERR(semtimedop(id, &down, 1, &none), EAGAIN);
	CHECK_ERR(semtimedop(id, &down, 1, &bad), EINVAL);
	CHECK_ERR(semtimedop(id, &down, 1, &negative), EINVAL);
	CHECK_ERR(semtimedop(id, &down, 1, (void *)8), EFAULT);
	assign(id, 0, 1);
	CHECK_OK(semtimedop(id, &down, 1, NULL));
	removed(id);
}

CASE(exit_undoes, "semop(2)")
{
	int id = new_set(2);
	pid_t child;

	assign(id, 0, 5);
	child = fork_child();
	if (child == 0) {
		CHECK_OK(operate(id, 0, -3, SEM_UNDO));
		CHECK_OK(operate(id, 1, 2, SEM_UNDO));
		CHECK_OK(operate(id, 0, 1, 0));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(value_of(id, 0), 6);
	CHECK_EQ(value_of(id, 1), 0);
	CHECK_EQ(semctl(id, 0, GETPID), child);
	removed(id);
}

CASE(a_kill_undoes_and_wakes, "semop(2)")
{
	int id = new_set(1);
	pid_t child;

	assign(id, 0, 1);
	child = fork_child();
	if (child == 0) {
		CHECK_OK(operate(id, 0, -1, SEM_UNDO));
		pause();
		_exit(1);
	}
	while (value_of(id, 0))
		usleep(1000);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_OK(operate(id, 0, -1, 0));
	CHECK_KILLED(child, SIGKILL);
	removed(id);
}

CASE(SETVAL_forgets_adjustments, "semctl(2)")
{
	int id = new_set(1);
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_OK(operate(id, 0, 3, SEM_UNDO));
		assign(id, 0, 9);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(value_of(id, 0), 9);
	removed(id);
}

CASE(undoing_never_goes_below_zero, "semop(2)")
{
	int id = new_set(1);
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_OK(operate(id, 0, 3, SEM_UNDO));
		CHECK_OK(operate(id, 0, -2, 0));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(value_of(id, 0), 0);
	removed(id);
}

CASE(adjustments_are_not_inherited_and_survive_execve, "semop(2)")
{
	int id = new_set(1);
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_OK(operate(id, 0, 1, SEM_UNDO));
		child = fork_child();
		if (child == 0)
			_exit(0);
		CHECK_EXITS(child, 0);
		CHECK_EQ(value_of(id, 0), 1);
		execlp("true", "true", NULL);
		_exit(1);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(value_of(id, 0), 0);
	removed(id);
}

static int shared_set;

static void *add_with_undo(void *unused)
{
	CHECK_OK(operate(shared_set, 0, 2, SEM_UNDO));
	return unused;
}

CASE(threads_share_adjustments, "clone(2)")
{
	pthread_t thread;

	shared_set = new_set(1);
	CHECK_EQ(pthread_create(&thread, NULL, add_with_undo, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	usleep(10000);
	CHECK_EQ(value_of(shared_set, 0), 2);
	CHECK_OK(unshare(CLONE_SYSVSEM));
	CHECK_EQ(value_of(shared_set, 0), 0);
	removed(shared_set);
}

CASE(an_adjustment_past_the_maximum_gives_ERANGE, "semop(2)")
{
	int id = new_set(1);

	for (int round = 0; round < 32767 / 4681; round++) {
		CHECK_OK(operate(id, 0, 4681, SEM_UNDO));
		CHECK_OK(operate(id, 0, -4681, 0));
	}
	CHECK_OK(operate(id, 0, 1, SEM_UNDO));
	CHECK_ERR(operate(id, 0, 1, SEM_UNDO), ERANGE);
	CHECK_EQ(value_of(id, 0), 1);
	removed(id);
}

CASE(waiters_are_served_in_order, "semop(2)")
{
	int id = new_set(2);
	pid_t children[3];

	for (int i = 0; i < 3; i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			CHECK_OK(operate(id, 0, -1, 0));
			_exit(operate(id, 1, 1, 0) != 0);
		}
		until_waiting(id, 0, i + 1, GETNCNT);
	}
	for (int i = 0; i < 3; i++) {
		CHECK_OK(operate(id, 0, 1, 0));
		CHECK_OK(operate(id, 1, -1, 0));
		CHECK_EQ(semctl(id, 0, GETPID), children[i]);
		CHECK_EXITS(children[i], 0);
	}
	removed(id);
}

CASE(a_smaller_wish_may_be_served_first, "semop(2)")
{
	int id = new_set(1);
	pid_t big = fork_child(), small;

	if (big == 0)
		_exit(operate(id, 0, -5, 0) != 0);
	until_waiting(id, 0, 1, GETNCNT);
	small = fork_child();
	if (small == 0)
		_exit(operate(id, 0, -1, 0) != 0);
	until_waiting(id, 0, 2, GETNCNT);
	CHECK_OK(operate(id, 0, 1, 0));
	CHECK_EXITS(small, 0);
	CHECK_OK(operate(id, 0, 5, 0));
	CHECK_EXITS(big, 0);
	removed(id);
}

CASE(permissions_are_checked, "semop(2)")
{
	unsigned short values[1];
	int id;
	pid_t child;

	NEEDS_ROOT();
	id = CHECK_OK(semget(IPC_PRIVATE, 1, 0604));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setgroups(0, NULL));
		CHECK_OK(setresgid(1234, 1234, 1234));
		CHECK_OK(setresuid(1234, 1234, 1234));
		CHECK_OK(operate(id, 0, 0, 0));
		CHECK_ERR(operate(id, 0, 1, 0), EACCES);
		CHECK_ERR(semctl(id, 0, SETVAL, (union semun){ .val = 1 }), EACCES);
		CHECK_ERR(semctl(id, 0, SETALL, (union semun){ .array = values }), EACCES);
		CHECK_OK(semctl(id, 0, GETALL, (union semun){ .array = values }));
		CHECK_OK(describe(id));
		CHECK_ERR(semctl(id, 0, IPC_SET, (union semun){ .buf = &about }), EPERM);
		CHECK_ERR(semctl(id, 0, IPC_RMID), EPERM);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(describe(id));
	about.sem_perm.uid = 1234;
	about.sem_perm.mode = 0200;
	CHECK_OK(semctl(id, 0, IPC_SET, (union semun){ .buf = &about }));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setresuid(1234, 1234, 1234));
		CHECK_ERR(semctl(id, 0, GETVAL), EACCES);
		CHECK_ERR(semctl(id, 0, GETPID), EACCES);
		CHECK_ERR(semctl(id, 0, GETNCNT), EACCES);
		CHECK_ERR(describe(id), EACCES);
		CHECK_ERR(operate(id, 0, 0, 0), EACCES);
		CHECK_OK(operate(id, 0, 1, 0));
		removed(id);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(bad_commands_numbers_and_pointers_are_refused, "semctl(2)")
{
	int id = new_set(2);

	CHECK_ERR(semctl(id, 0, 99), EINVAL);
	CHECK_ERR(semctl(-1, 0, GETVAL), EINVAL);
	CHECK_ERR(semctl(id, 2, GETVAL), EINVAL);
	CHECK_ERR(semctl(id, -1, GETZCNT), EINVAL);
	CHECK_ERR(semctl(id, 2, SETVAL, (union semun){ .val = 0 }), EINVAL);
	CHECK_ERR(semctl(id, 0, IPC_STAT, (union semun){ .buf = (void *)8 }), EFAULT);
	CHECK_ERR(semctl(id, 0, IPC_SET, (union semun){ .buf = (void *)8 }), EFAULT);
	CHECK_ERR(semctl(0, 0, IPC_INFO, (union semun){ .info = (void *)8 }), EFAULT);
	removed(id);
	CHECK_ERR(semctl(id, 0, GETVAL), EINVAL);
}

CASE(sets_are_found_by_their_index, "semctl(2)")
{
	struct seminfo limits;
	int id = new_set(4), highest, found = 0;

	highest = CHECK_OK(semctl(0, 0, SEM_INFO, (union semun){ .info = &limits }));
	CHECK(limits.semusz >= 1 && limits.semaem >= 4);
	CHECK_OK(semctl(0, 0, IPC_INFO, (union semun){ .info = &limits }));
	CHECK_EQ(limits.semvmx, 32767);
	CHECK_EQ(limits.semopm, 500);
	for (int index = 0; index <= highest; index++) {
		if (semctl(index, 0, SEM_STAT, (union semun){ .buf = &about }) == id)
			found++;
		if (semctl(index, 0, SEM_STAT_ANY, (union semun){ .buf = &about }) == id)
			found += about.sem_nsems == 4;
	}
	removed(id);
	CHECK_EQ(found, 2);
}

CASE(proc_lists_sets, "proc_sysvipc(5)")
{
	int id = CHECK_OK(semget(IPC_PRIVATE, 11, 0642));
	char line[128];

	snprintf(line, sizeof(line), "%10d %10d  %4o %10u %5u %5u", 0, id, 0642, 11, geteuid(), getegid());
	CHECK(strstr(text_of("/proc/sysvipc/sem"), line));
	removed(id);
	CHECK(!strstr(text_of("/proc/sysvipc/sem"), line));
}
