/* shmget(2), shmat(2), shmdt(2), shmctl(2). */
#include "harness.h"
#include "fixtures.h"

#include <grp.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/shm.h>

static struct shmid_ds about;

static int new_segment(size_t size)
{
	return CHECK_OK(shmget(IPC_PRIVATE, size, 0600));
}

/* Attached, and removed already: it goes away with the last attachment. */
static char *fleeting(size_t size, int *id)
{
	char *memory;

	*id = new_segment(size);
	memory = shmat(*id, NULL, 0);
	CHECK_OK(shmctl(*id, IPC_RMID, NULL));
	return CHECK_OK(memory);
}

static unsigned long attachments(int id)
{
	CHECK_OK(shmctl(id, IPC_STAT, &about));
	return about.shm_nattch;
}

/* How many lines of the task's mappings have this word. */
static int mappings(const char *word)
{
	const char *at = text_of("/proc/self/maps");
	int count = 0;

	for (; (at = strstr(at, word)); at++)
		count++;
	return count;
}

CASE(a_new_segment_is_described, "shmctl(2)")
{
	time_t now = time(NULL);
	int id = CHECK_OK(shmget(IPC_PRIVATE, 5000, 0640 | IPC_CREAT));

	CHECK_OK(shmctl(id, IPC_STAT, &about));
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(about.shm_segsz, 5000);
	CHECK_EQ(about.shm_perm.mode, 0640);
	CHECK_EQ(about.shm_perm.uid, geteuid());
	CHECK_EQ(about.shm_perm.cuid, geteuid());
	CHECK_EQ(about.shm_perm.gid, getegid());
	CHECK_EQ(about.shm_perm.cgid, getegid());
	CHECK_EQ(about.shm_perm.__key, IPC_PRIVATE);
	CHECK_EQ(about.shm_cpid, getpid());
	CHECK_EQ(about.shm_lpid, 0);
	CHECK_EQ(about.shm_nattch, 0);
	CHECK_EQ(about.shm_atime, 0);
	CHECK_EQ(about.shm_dtime, 0);
	CHECK(about.shm_ctime >= now && about.shm_ctime <= now + 10);
}

CASE(a_key_finds_the_segment_until_it_is_removed, "shmget(2)")
{
	key_t key = 0x5e000000 + getpid();
	int id = CHECK_OK(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600));
	char *memory = shmat(id, NULL, 0);

	CHECK_EQ(shmget(key, PAGE, 0), id);
	CHECK_EQ(shmget(key, 0, IPC_CREAT), id);
	CHECK_ERR(shmget(key, PAGE, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_ERR(shmget(key, PAGE + 1, 0), EINVAL);
	CHECK_ERR(shmget(key, PAGE + 1, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERR(shmget(key, PAGE, 0), ENOENT);
	CHECK_OK(shmctl(id, IPC_STAT, &about));
	CHECK_EQ(about.shm_perm.mode, 0600 | SHM_DEST);
	CHECK_EQ(about.shm_perm.__key, IPC_PRIVATE);
	CHECK_OK(shmdt(CHECK_OK(memory)));
	CHECK_ERR(shmctl(id, IPC_STAT, &about), EINVAL);
}

CASE(sizes_are_checked, "shmget(2)")
{
	CHECK_ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, SIZE_MAX, 0600), EINVAL);
	CHECK_ERR(shmget(0x5e100000 + getpid(), 0, IPC_CREAT | 0600), EINVAL);
	CHECK_ERR(shmget(0x5e100000 + getpid(), PAGE, 0600), ENOENT);
}

CASE(huge_pages_need_a_known_size, "shmget(2)")
{
	NEEDS_ROOT();
	CHECK_ERR(shmget(IPC_PRIVATE, PAGE, SHM_HUGETLB | 3 << 26 | 0600), EINVAL);
	if (strstr(text_of("/proc/sys/vm/nr_hugepages"), "0") == NULL)
		SKIP("the host has huge pages");
	CHECK_ERR(shmget(IPC_PRIVATE, PAGE, SHM_HUGETLB | 0600), ENOMEM);
	CHECK_ERR(shmget(IPC_PRIVATE, PAGE, SHM_HUGETLB | 21 << 26 | 0600), ENOMEM);
}

CASE(ids_are_not_used_again_soon, "shmget(2)")
{
	int first = new_segment(PAGE), second;

	CHECK_OK(shmctl(first, IPC_RMID, NULL));
	second = new_segment(PAGE);
	CHECK_OK(shmctl(second, IPC_RMID, NULL));
	CHECK(first != second);
	CHECK_ERR(shmctl(first, IPC_STAT, &about), EINVAL);
	CHECK(shmat(first, NULL, 0) == (void *)-1);
	CHECK_EQ(errno, EINVAL);
}

CASE(memory_is_zeroed_and_shared_by_all_attachments, "shmat(2)")
{
	int id = new_segment(2 * PAGE);
	char *one = shmat(id, NULL, 0), *two = shmat(id, NULL, 0);

	CHECK_EQ(attachments(id), 2);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_OK(one), CHECK_OK(two);
	CHECK(one != two);
	CHECK_EQ(one[5000], 0);
	one[5000] = 7;
	CHECK_EQ(two[5000], 7);
	CHECK_OK(shmdt(one));
	CHECK_EQ(attachments(id), 1);
	CHECK_EQ(two[5000], 7);
}

CASE(fork_shares_and_exit_detaches, "shmat(2)")
{
	int id;
	volatile char *memory = fleeting(PAGE, &id);
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_EQ(attachments(id), 2);
		memory[0] = 9;
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(memory[0], 9);
	CHECK_EQ(attachments(id), 1);
	CHECK_EQ(about.shm_lpid, child);
	CHECK(about.shm_dtime > 0);
}

CASE(fork_counts_as_attaching, "shmat(2)")
{
	int id, gate[2];
	pid_t child;

	fleeting(PAGE, &id);
	CHECK_OK(pipe(gate));
	child = fork_child();
	if (child == 0) {
		await(gate[0]);
		_exit(0);
	}
	CHECK_EQ(attachments(id), 2);
	CHECK_EQ(about.shm_lpid, getpid());
	tell(gate[1]);
	CHECK_EXITS(child, 0);
}

CASE(execve_detaches, "shmat(2)")
{
	int id, gate[2];
	char fd[16];
	pid_t child;

	fleeting(PAGE, &id);
	CHECK_OK(pipe(gate));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(dup2(gate[0], 0));
		close(gate[1]);
		snprintf(fd, sizeof(fd), "%d", gate[0]);
		execlp("cat", "cat", NULL);
		_exit(9);
	}
	for (int tries = 0; tries < 2000 && attachments(id) != 1; tries++)
		usleep(5000);
	CHECK_EQ(attachments(id), 1);
	CHECK_OK(close(gate[1]));
	CHECK_EXITS(child, 0);
}

CASE(a_removed_segment_lives_as_long_as_a_child_has_it, "shmctl(2)")
{
	int id, gate[2];
	char *memory = fleeting(PAGE, &id);
	pid_t child;

	CHECK_OK(pipe(gate));
	child = fork_child();
	if (child == 0) {
		await(gate[0]);
		CHECK_EQ(memory[1], 3);
		CHECK_OK(shmdt(memory));
		CHECK_ERR(shmctl(id, IPC_STAT, &about), EINVAL);
		_exit(0);
	}
	memory[1] = 3;
	CHECK_OK(shmdt(memory));
	CHECK_EQ(attachments(id), 1);
	tell(gate[1]);
	CHECK_EXITS(child, 0);
}

CASE(a_removed_segment_can_still_be_attached_by_its_id, "shmctl(2)")
{
	int id;
	char *memory = fleeting(PAGE, &id);
	char *again = CHECK_OK((char *)shmat(id, NULL, 0));

	memory[0] = 5;
	CHECK_EQ(again[0], 5);
	CHECK_EQ(attachments(id), 2);
}

CASE(read_only_attachments_cannot_be_written, "shmat(2)")
{
	int id = CHECK_OK(shmget(IPC_PRIVATE, PAGE, 0600));
	char *writable = shmat(id, NULL, 0), *readable = shmat(id, NULL, SHM_RDONLY);
	pid_t child;

	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_OK(writable), CHECK_OK(readable);
	writable[0] = 4;
	CHECK_EQ(readable[0], 4);
	CHECK_ERR(mprotect(readable, PAGE, PROT_READ | PROT_WRITE), EACCES);
	child = fork_child();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)readable = 1;
		_exit(0);
	}
	CHECK_KILLED(child, SIGSEGV);
}

CASE(executable_attachments_run_code, "shmat(2)")
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov $42, %eax; ret */
	int id = CHECK_OK(shmget(IPC_PRIVATE, PAGE, 0700));
	char *memory = shmat(id, NULL, SHM_EXEC);

	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	memcpy(CHECK_OK(memory), code, sizeof(code));
	CHECK_EQ(((int (*)(void))(uintptr_t)memory)(), 42);
}

CASE(addresses_are_rounded_on_request_only, "shmat(2)")
{
	int id = new_segment(PAGE);
	char *place = unmapped();
	char *got = shmat(id, place + 123, SHM_RND);

	if (got == (char *)-1 || got != place) {
		shmctl(id, IPC_RMID, NULL);
		FAIL("attached at %p", got);
	}
	CHECK_ERR((long)shmat(id, place + 123, 0), EINVAL);
	CHECK_ERR((long)shmat(id, place, 0), EINVAL);
	CHECK_ERR((long)shmat(id, NULL, SHM_REMAP), EINVAL);
	CHECK_ERR((long)shmat(id, (void *)123, SHM_REMAP | SHM_RND), EINVAL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERR((long)shmat(-1, NULL, 0), EINVAL);
	CHECK_ERR(shmdt(place + 123), EINVAL);
	CHECK_OK(shmdt(place));
	CHECK_ERR(shmdt(place), EINVAL);
}

CASE(remap_replaces_what_is_there, "shmat(2)")
{
	int id = new_segment(PAGE);
	char *place = map_pages(3, MAP_PRIVATE), *got;

	memset(place, 1, 3 * PAGE);
	got = shmat(id, place + PAGE, SHM_REMAP);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK(got == place + PAGE);
	CHECK_EQ(place[0], 1);
	CHECK_EQ(place[PAGE], 0);
	CHECK_EQ(place[2 * PAGE], 1);
}

CASE(the_mapping_is_shown_by_its_key, "proc_pid_maps(5)")
{
	key_t key = 0x5e200000 + getpid();
	int id = CHECK_OK(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600));
	char word[128], *memory = shmat(id, NULL, 0);

	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_OK(memory);
	snprintf(word, sizeof(word), "rw-s 00000000 00:01 %-26d /SYSV%08x (deleted)\n", id, key);
	CHECK_EQ(mappings(word), 1);
}

CASE(parts_count_as_attachments, "shmat(2)")
{
	int id;
	char *memory = fleeting(5 * PAGE, &id);

	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_EQ(attachments(id), 2);
	CHECK_OK(mprotect(memory + 3 * PAGE, PAGE, PROT_READ));
	CHECK_EQ(attachments(id), 4);
	CHECK_EQ(mappings("/SYSV"), 4);
	CHECK_OK(shmdt(memory));
	CHECK_EQ(mappings("/SYSV"), 0);
	CHECK_ERR(shmctl(id, IPC_STAT, &about), EINVAL);
}

CASE(shmdt_finds_a_segment_whose_first_page_is_gone, "shmdt(2)")
{
	int id;
	char *memory = fleeting(4 * PAGE, &id);

	CHECK_OK(munmap(memory, PAGE));
	CHECK_ERR(shmdt(memory + PAGE), EINVAL);
	CHECK_OK(shmdt(memory));
	CHECK_EQ(mappings("/SYSV"), 0);
}

CASE(munmap_of_all_detaches, "shmat(2)")
{
	int id;
	char *memory = fleeting(2 * PAGE, &id);

	CHECK_OK(munmap(memory, 2 * PAGE));
	CHECK_ERR(shmctl(id, IPC_STAT, &about), EINVAL);
}

CASE(mremap_moves_an_attachment, "mremap(2)")
{
	int id;
	char *memory = fleeting(2 * PAGE, &id), *target = map_pages(2, MAP_PRIVATE);

	memory[PAGE] = 6;
	CHECK_EQ(mremap(memory, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target), target);
	CHECK_EQ(target[PAGE], 6);
	CHECK_EQ(attachments(id), 1);
	CHECK_OK(shmdt(target));
	CHECK_ERR(shmctl(id, IPC_STAT, &about), EINVAL);
}

CASE(permissions_are_checked, "shmget(2)")
{
	key_t key = 0x5e300000 + getpid();
	int id;
	pid_t child;

	NEEDS_ROOT();
	id = CHECK_OK(shmget(key, PAGE, IPC_CREAT | 0604));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setgroups(0, NULL));
		CHECK_OK(setresgid(1234, 1234, 1234));
		CHECK_OK(setresuid(1234, 1234, 1234));
		CHECK_ERR(shmget(key, PAGE, 0600), EACCES);
		CHECK_EQ(shmget(key, PAGE, 0400), id);
		CHECK_ERR((long)shmat(id, NULL, 0), EACCES);
		CHECK_OK(shmdt(CHECK_OK(shmat(id, NULL, SHM_RDONLY))));
		CHECK_ERR((long)shmat(id, NULL, SHM_RDONLY | SHM_EXEC), EACCES);
		CHECK_OK(shmctl(id, IPC_STAT, &about));
		CHECK_ERR(shmctl(id, IPC_SET, &about), EPERM);
		CHECK_ERR(shmctl(id, IPC_RMID, NULL), EPERM);
		CHECK_ERR(shmctl(id, SHM_LOCK, NULL), EPERM);
		CHECK_ERR(shmctl(id, SHM_UNLOCK, NULL), EPERM);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(shmctl(id, IPC_STAT, &about));
	about.shm_perm.mode = 0;
	CHECK_OK(shmctl(id, IPC_SET, &about));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setresuid(1234, 1234, 1234));
		CHECK_ERR(shmctl(id, IPC_STAT, &about), EACCES);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

CASE(IPC_SET_changes_owner_and_mode, "shmctl(2)")
{
	int id = new_segment(PAGE);

	CHECK_OK(shmctl(id, IPC_STAT, &about));
	about.shm_perm.mode = 07777;
	about.shm_segsz = 1;
	CHECK_OK(shmctl(id, IPC_SET, &about));
	CHECK_OK(shmctl(id, IPC_STAT, &about));
	CHECK_EQ(about.shm_perm.mode, 0777);
	CHECK_EQ(about.shm_segsz, PAGE);
	about.shm_perm.uid = (uid_t)-1;
	CHECK_ERR(shmctl(id, IPC_SET, &about), EINVAL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

CASE(bad_commands_ids_and_pointers_are_refused, "shmctl(2)")
{
	int id = new_segment(PAGE);

	CHECK_ERR(shmctl(id, 99, &about), EINVAL);
	CHECK_ERR(shmctl(id, -1, &about), EINVAL);
	CHECK_ERR(shmctl(-1, IPC_STAT, &about), EINVAL);
	CHECK_ERR(shmctl(id, IPC_STAT, (void *)8), EFAULT);
	CHECK_ERR(shmctl(id, IPC_SET, (void *)8), EFAULT);
	CHECK_ERR(shmctl(0, IPC_INFO, (void *)8), EFAULT);
	CHECK_ERR(shmctl(0, SHM_INFO, (void *)8), EFAULT);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERR(shmctl(id, IPC_RMID, NULL), EINVAL);
}

CASE(locking_is_noted_in_the_mode, "shmctl(2)")
{
	int id = new_segment(PAGE);

	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	CHECK_OK(shmctl(id, IPC_STAT, &about));
	CHECK_EQ(about.shm_perm.mode, 0600 | SHM_LOCKED);
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
	CHECK_OK(shmctl(id, IPC_STAT, &about));
	CHECK_EQ(about.shm_perm.mode, 0600);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

CASE(locking_is_limited, "shmctl(2)")
{
	struct rlimit none = { 0, 0 };
	int id = new_segment(PAGE);
	pid_t child = fork_child();

	if (child == 0) {
		if (geteuid() == 0)
			_exit(0);
		CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &none));
		CHECK_ERR(shmctl(id, SHM_LOCK, NULL), EPERM);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

CASE(an_attachment_counts_for_RLIMIT_AS, "shmat(2)")
{
	struct rlimit limit = { 1 << 20, RLIM_INFINITY };
	int id = new_segment(1 << 20), result, error;

	CHECK_OK(getrlimit(RLIMIT_AS, &limit));
	limit.rlim_cur = 1 << 20;
	CHECK_OK(setrlimit(RLIMIT_AS, &limit));
	result = (long)shmat(id, NULL, 0) == -1 ? -1 : 0;
	error = errno;
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(result, -1);
	CHECK_EQ(error, ENOMEM);
}

CASE(segments_are_found_by_their_index, "shmctl(2)")
{
	int id = new_segment(PAGE), highest, found = 0;
	struct shm_info totals;
	struct shminfo limits;

	highest = CHECK_OK(shmctl(0, SHM_INFO, (void *)&totals));
	CHECK(totals.used_ids >= 1 && totals.shm_tot >= 1);
	CHECK_OK(shmctl(0, IPC_INFO, (void *)&limits));
	CHECK_EQ(limits.shmmin, 1);
	CHECK_EQ(limits.shmmni, limits.shmseg);
	for (int index = 0; index <= highest; index++) {
		if (shmctl(index, SHM_STAT, &about) == id)
			found++;
		if (shmctl(index, SHM_STAT_ANY, &about) == id && about.shm_segsz == PAGE)
			found++;
	}
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(found, 2);
	CHECK_ERR(shmctl(32767, SHM_STAT, &about), EINVAL);
}

CASE(proc_lists_segments, "proc_sysvipc(5)")
{
	int id = CHECK_OK(shmget(IPC_PRIVATE, 12345, 0642));
	char line[128];

	snprintf(line, sizeof(line), "%10d %10d  %4o %21u %5d %5d  %5d", 0, id, 0642, 12345, getpid(), 0, 0);
	CHECK(strncmp(text_of("/proc/sysvipc/shm"), "       key      shmid perms ", 28) == 0);
	CHECK(strstr(text_of("/proc/sysvipc/shm"), line));
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK(!strstr(text_of("/proc/sysvipc/shm"), line));
}

CASE(a_futex_in_a_segment_is_shared_between_addresses, "futex(2)")
{
	int id = new_segment(PAGE);
	int *one = shmat(id, NULL, 0), *two = shmat(id, NULL, 0);
	pid_t child;

	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_OK(one), CHECK_OK(two);
	child = fork_child();
	if (child == 0) {
		while (*two == 0)
			syscall(SYS_futex, two, 0 /* FUTEX_WAIT */, 0, NULL, NULL, 0);
		_exit(0);
	}
	usleep(20000);
	*one = 1;
	syscall(SYS_futex, one, 1 /* FUTEX_WAKE */, 1, NULL, NULL, 0);
	CHECK_EXITS(child, 0);
}
