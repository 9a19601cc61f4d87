/* add_key(2), request_key(2), keyctl(2): keys, keyrings, who has them and who may do what. */
#include "harness.h"
#include "fixtures.h"

#include <grp.h>
#include <linux/keyctl.h>
#include <pthread.h>

enum { NONE = 0, EVERYTHING = 0x3f3f3f3f };
static char text[40000];

static long add_key(const char *type, const char *name, const void *data, size_t size, long ring)
{
	return syscall(SYS_add_key, type, name, data, size, ring);
}

static long request_key(const char *type, const char *name, const char *callout, long ring)
{
	return syscall(SYS_request_key, type, name, callout, ring);
}

#define keyctl(...) syscall(SYS_keyctl, __VA_ARGS__)

/* Every case has a session keyring of its own, which goes with it. */
static long new_session(void)
{
	long ring = keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL);

	if (ring == -1 && (errno == ENOSYS || errno == EPERM))
		SKIP("no keys here");
	return CHECK_OK(ring);
}

static long key_in(long ring, const char *name)
{
	return CHECK_OK(add_key("user", name, "data", 4, ring));
}

static const char *described(long key)
{
	memset(text, 0, sizeof(text));
	CHECK_EQ(CHECK_OK(keyctl(KEYCTL_DESCRIBE, key, text, sizeof(text))), strlen(text) + 1);
	return text;
}

CASE(a_key_is_added_found_and_read, "add_key(2)")
{
	char expected[128];
	long session = new_session(), key = key_in(KEY_SPEC_SESSION_KEYRING, "one");

	CHECK(key > 0);
	snprintf(expected, sizeof(expected), "user;%d;%d;3f010000;one", geteuid(), getegid());
	CHECK_STREQ(described(key), expected);
	CHECK_EQ(request_key("user", "one", NULL, NONE), key);
	CHECK_EQ(keyctl(KEYCTL_SEARCH, session, "user", "one", NONE), key);
	CHECK_EQ(keyctl(KEYCTL_READ, key, text, sizeof(text)), 4);
	CHECK(memcmp(text, "data", 4) == 0);
	CHECK_EQ(keyctl(KEYCTL_READ, key, NULL, 0), 4);
	text[0] = 'X';
	CHECK_EQ(keyctl(KEYCTL_READ, key, text, 3), 4);
	CHECK_EQ(text[0], 'X');
	CHECK_ERR(keyctl(KEYCTL_READ, key, 8, 100), EFAULT);
	CHECK_ERR(keyctl(KEYCTL_DESCRIBE, key, 8, 100), EFAULT);
}

CASE(adding_again_updates, "add_key(2)")
{
	long key;

	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_EQ(add_key("user", "one", "longer data", 11, KEY_SPEC_SESSION_KEYRING), key);
	CHECK_EQ(keyctl(KEYCTL_READ, key, text, sizeof(text)), 11);
	CHECK_OK(keyctl(KEYCTL_UPDATE, key, "x", 1));
	CHECK_EQ(keyctl(KEYCTL_READ, key, text, sizeof(text)), 1);
	CHECK_ERR(keyctl(KEYCTL_UPDATE, key, NULL, 0), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_UPDATE, key, text, 4097), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_UPDATE, key, 8, 4), EFAULT);
	CHECK_ERR(keyctl(KEYCTL_UPDATE, KEY_SPEC_SESSION_KEYRING, "x", 1), EOPNOTSUPP);
	CHECK_ERR(keyctl(KEYCTL_UPDATE, 0, "x", 1), EINVAL);
}

CASE(bad_keys_are_refused, "add_key(2)")
{
	char name[4200];
	long key;

	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_ERR(add_key("user", "d", NULL, 0, KEY_SPEC_SESSION_KEYRING), EINVAL);
	CHECK_ERR(add_key("user", "d", (void *)8, 10, KEY_SPEC_SESSION_KEYRING), EFAULT);
	CHECK_ERR(add_key("user", "d", text, 32768, KEY_SPEC_SESSION_KEYRING), EINVAL);
	CHECK_ERR(add_key("user", "d", text, 1 << 20, KEY_SPEC_SESSION_KEYRING), EINVAL);
	CHECK_ERR(add_key("user", "", "p", 1, KEY_SPEC_SESSION_KEYRING), EINVAL);
	CHECK_ERR(add_key("user", NULL, "p", 1, KEY_SPEC_SESSION_KEYRING), EINVAL);
	CHECK_ERR(add_key("", "d", "p", 1, KEY_SPEC_SESSION_KEYRING), EINVAL);
	CHECK_ERR(add_key("no such type", "d", "p", 1, KEY_SPEC_SESSION_KEYRING), ENODEV);
	CHECK_ERR(add_key(".hidden", "d", "p", 1, KEY_SPEC_SESSION_KEYRING), EPERM);
	CHECK_ERR(add_key("keyring", ".hidden", NULL, 0, KEY_SPEC_SESSION_KEYRING), EPERM);
	CHECK_ERR(add_key((void *)8, "d", "p", 1, KEY_SPEC_SESSION_KEYRING), EFAULT);
	CHECK_ERR(add_key("01234567890123456789012345678901", "d", "p", 1, KEY_SPEC_SESSION_KEYRING), EINVAL);
	CHECK_ERR(add_key("user", "d", "p", 1, key), ENOTDIR);
	CHECK_ERR(add_key("user", "d", "p", 1, 0), EINVAL);
	CHECK_ERR(add_key("user", "d", "p", 1, -6), EINVAL);
	CHECK_ERR(add_key("user", "d", "p", 1, -7), ENOKEY);
	CHECK_ERR(add_key("keyring", "d", "p", 1, KEY_SPEC_SESSION_KEYRING), EINVAL);
	CHECK_ERR(add_key("logon", "no prefix", "p", 1, KEY_SPEC_SESSION_KEYRING), EINVAL);
	CHECK_ERR(add_key("logon", ":empty prefix", "p", 1, KEY_SPEC_SESSION_KEYRING), EINVAL);
	memset(name, 'n', sizeof(name));
	name[4096] = '\0';
	CHECK_ERR(add_key("user", name, "p", 1, KEY_SPEC_SESSION_KEYRING), EINVAL);
	name[4095] = '\0';
	CHECK_OK(add_key("user", name, "p", 1, KEY_SPEC_SESSION_KEYRING));
	CHECK_ERR(keyctl(99), EOPNOTSUPP);
}

CASE(logon_keys_cannot_be_read, "keyrings(7)")
{
	long key;

	new_session();
	key = CHECK_OK(add_key("logon", "prefix:name", "secret", 6, KEY_SPEC_SESSION_KEYRING));
	CHECK_ERR(keyctl(KEYCTL_READ, key, text, sizeof(text)), EOPNOTSUPP);
	CHECK_EQ(request_key("logon", "prefix:name", NULL, NONE), key);
	CHECK_OK(keyctl(KEYCTL_UPDATE, key, "other", 5));
}

CASE(keys_that_are_not_there_give_ENOKEY, "request_key(2)")
{
	new_session();
	CHECK_ERR(request_key("user", "absent", NULL, NONE), ENOKEY);
	CHECK_ERR(request_key("no such type", "absent", NULL, NONE), ENOKEY);
	CHECK_ERR(request_key(".hidden", "absent", NULL, NONE), EPERM);
	CHECK_ERR(request_key("user", (void *)8, NULL, NONE), EFAULT);
	CHECK_ERR(request_key("user", "absent", (void *)8, NONE), EFAULT);
	CHECK_ERR(keyctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "absent", NONE), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_READ, 0x7ffffff1, text, 1), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_DESCRIBE, 0x7ffffff1, text, 1), ENOKEY);
}

CASE(special_keyrings_are_made_on_demand, "keyctl(2)")
{
	char expected[64];
	long thread;

	new_session();
	CHECK_ERR(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0), ENOKEY);
	thread = CHECK_OK(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 1));
	CHECK_EQ(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0), thread);
	CHECK_ERR(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0), ENOKEY);
	key_in(KEY_SPEC_PROCESS_KEYRING, "one");
	CHECK_OK(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0));
	snprintf(expected, sizeof(expected), "keyring;%d;%d;3f010000;_pid", geteuid(), getegid());
	CHECK_STREQ(described(KEY_SPEC_PROCESS_KEYRING), expected);
	snprintf(expected, sizeof(expected), "keyring;%d;%d;3f030000;_ses", geteuid(), getegid());
	CHECK_STREQ(described(KEY_SPEC_SESSION_KEYRING), expected);
	snprintf(expected, sizeof(expected), "keyring;%d;65534;1f3f0000;_uid.%d", geteuid(), geteuid());
	CHECK_STREQ(described(KEY_SPEC_USER_KEYRING), expected);
	CHECK_ERR(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_GROUP_KEYRING, 1), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_GET_KEYRING_ID, -9, 1), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 1), ENOKEY);
}

static void *see_thread(void *unused)
{
	CHECK_OK(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0));
	CHECK_EQ(keyctl(KEYCTL_READ, KEY_SPEC_THREAD_KEYRING, NULL, 0), 0);
	CHECK_OK(request_key("user", "of the process", NULL, NONE));
	CHECK_OK(request_key("user", "of the session", NULL, NONE));
	CHECK_ERR(request_key("user", "of the thread", NULL, NONE), ENOKEY);
	return unused;
}

CASE(fork_execve_and_threads_inherit_what_they_should, "keyrings(7)")
{
	long session = new_session();
	pthread_t thread;
	pid_t child;

	key_in(KEY_SPEC_THREAD_KEYRING, "of the thread");
	key_in(KEY_SPEC_PROCESS_KEYRING, "of the process");
	key_in(KEY_SPEC_SESSION_KEYRING, "of the session");
	CHECK_EQ(pthread_create(&thread, NULL, see_thread, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	child = fork_child();
	if (child == 0) {
		CHECK_ERR(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0), ENOKEY);
		CHECK_ERR(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0), ENOKEY);
		CHECK_EQ(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0), session);
		CHECK_OK(request_key("user", "of the session", NULL, NONE));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(keys_are_linked_and_unlinked, "keyctl(2)")
{
	long ring, inner, key;
	int ids[4];

	new_session();
	ring = CHECK_OK(add_key("keyring", "ring", NULL, 0, KEY_SPEC_SESSION_KEYRING));
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_OK(keyctl(KEYCTL_LINK, key, ring));
	CHECK_OK(keyctl(KEYCTL_LINK, key, ring));
	CHECK_EQ(keyctl(KEYCTL_READ, ring, ids, sizeof(ids)), 4);
	CHECK_EQ(ids[0], key);
	CHECK_ERR(keyctl(KEYCTL_READ, ring, ids, 3), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_LINK, ring, ring), EDEADLK);
	inner = CHECK_OK(add_key("keyring", "inner", NULL, 0, ring));
	CHECK_ERR(keyctl(KEYCTL_LINK, ring, inner), EDEADLK);
	CHECK_ERR(keyctl(KEYCTL_LINK, key, key), ENOTDIR);
	CHECK_OK(keyctl(KEYCTL_UNLINK, key, ring));
	CHECK_ERR(keyctl(KEYCTL_UNLINK, key, ring), ENOENT);
	CHECK_ERR(keyctl(KEYCTL_UNLINK, key, key), ENOTDIR);
	CHECK_ERR(keyctl(KEYCTL_UNLINK, 0x7ffffff1, ring), ENOKEY);
	CHECK_OK(keyctl(KEYCTL_CLEAR, ring));
	CHECK_EQ(keyctl(KEYCTL_READ, ring, NULL, 0), 0);
	CHECK_ERR(keyctl(KEYCTL_CLEAR, key), ENOTDIR);
	CHECK_OK(keyctl(KEYCTL_UNLINK, key, KEY_SPEC_SESSION_KEYRING));
	CHECK_ERR(request_key("user", "one", NULL, NONE), ENOKEY);
}

CASE(keys_are_moved, "keyctl(2)")
{
	long ring, key;

	new_session();
	ring = CHECK_OK(add_key("keyring", "ring", NULL, 0, KEY_SPEC_SESSION_KEYRING));
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_OK(keyctl(KEYCTL_MOVE, key, KEY_SPEC_SESSION_KEYRING, ring, 0));
	CHECK_ERR(keyctl(KEYCTL_MOVE, key, KEY_SPEC_SESSION_KEYRING, ring, 0), ENOENT);
	key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_ERR(keyctl(KEYCTL_MOVE, key, ring, KEY_SPEC_SESSION_KEYRING, KEYCTL_MOVE_EXCL), EEXIST);
	CHECK_OK(keyctl(KEYCTL_MOVE, key, ring, KEY_SPEC_SESSION_KEYRING, 0));
	CHECK_EQ(request_key("user", "one", NULL, NONE), key);
	CHECK_ERR(keyctl(KEYCTL_MOVE, key, ring, KEY_SPEC_SESSION_KEYRING, 2), EINVAL);
}

CASE(searches_go_into_inner_keyrings, "keyctl(2)")
{
	long ring, key;

	new_session();
	ring = CHECK_OK(add_key("keyring", "ring", NULL, 0, KEY_SPEC_SESSION_KEYRING));
	key = key_in(ring, "deep");
	CHECK_EQ(request_key("user", "deep", NULL, NONE), key);
	CHECK_EQ(keyctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "keyring", "ring", NONE), ring);
	CHECK_EQ(keyctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "deep", KEY_SPEC_PROCESS_KEYRING), key);
	CHECK_EQ(keyctl(KEYCTL_READ, KEY_SPEC_PROCESS_KEYRING, NULL, 0), 4);
	CHECK_EQ(request_key("user", "deep", NULL, KEY_SPEC_THREAD_KEYRING), key);
	CHECK_EQ(keyctl(KEYCTL_READ, KEY_SPEC_THREAD_KEYRING, NULL, 0), 4);
	CHECK_ERR(keyctl(KEYCTL_SEARCH, key, "user", "deep", NONE), ENOTDIR);
}

CASE(a_revoked_key_is_of_no_use, "keyctl(2)")
{
	long key;

	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_OK(keyctl(KEYCTL_REVOKE, key));
	CHECK_ERR(keyctl(KEYCTL_READ, key, text, 10), EKEYREVOKED);
	CHECK_ERR(keyctl(KEYCTL_REVOKE, key), EKEYREVOKED);
	CHECK_ERR(keyctl(KEYCTL_DESCRIBE, key, text, 10), EKEYREVOKED);
	CHECK_ERR(keyctl(KEYCTL_UPDATE, key, "x", 1), EKEYREVOKED);
	CHECK_ERR(request_key("user", "one", NULL, NONE), EKEYREVOKED);
	CHECK_ERR(keyctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "one", NONE), EKEYREVOKED);
	CHECK(key_in(KEY_SPEC_SESSION_KEYRING, "one") != key);
}

CASE(a_key_expires, "keyctl(2)")
{
	long key;

	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_OK(keyctl(KEYCTL_SET_TIMEOUT, key, 100));
	CHECK_OK(keyctl(KEYCTL_SET_TIMEOUT, key, 0));
	CHECK_OK(keyctl(KEYCTL_SET_TIMEOUT, key, 1));
	CHECK_EQ(keyctl(KEYCTL_READ, key, text, 10), 4);
	usleep(1200000);
	CHECK_ERR(keyctl(KEYCTL_READ, key, text, 10), EKEYEXPIRED);
	CHECK_ERR(request_key("user", "one", NULL, NONE), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "one", NONE), EKEYEXPIRED);
}

CASE(an_invalidated_key_is_gone, "keyctl(2)")
{
	long key;

	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_OK(keyctl(KEYCTL_INVALIDATE, key));
	CHECK_EQ(request_key("user", "one", NULL, NONE), -1);
	CHECK_EQ(keyctl(KEYCTL_READ, key, text, 10), -1);
}

CASE(permissions_count, "keyctl(2)")
{
	long key;

	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_ERR(keyctl(KEYCTL_SETPERM, key, 0xffffffff), EINVAL);
	CHECK_OK(keyctl(KEYCTL_SETPERM, key, 0x3b000000));
	CHECK_ERR(keyctl(KEYCTL_UPDATE, key, "x", 1), EACCES);
	CHECK_ERR(add_key("user", "one", "x", 1, KEY_SPEC_SESSION_KEYRING), EACCES);
	CHECK_OK(keyctl(KEYCTL_SETPERM, key, 0x2f000000));
	CHECK_ERR(keyctl(KEYCTL_LINK, key, KEY_SPEC_PROCESS_KEYRING), EACCES);
	CHECK_OK(keyctl(KEYCTL_SETPERM, key, 0x37000000));
	CHECK_ERR(request_key("user", "one", NULL, NONE), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_DESCRIBE, key, text, 10), EACCES);
}

CASE(other_users_have_what_others_may, "keyrings(7)")
{
	long key;
	pid_t child;

	NEEDS_ROOT();
	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_OK(keyctl(KEYCTL_SETPERM, key, 0x3f010003));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setgroups(0, NULL));
		CHECK_OK(setresgid(1234, 1234, 1234));
		CHECK_OK(setresuid(1234, 1234, 1234));
		new_session();
		CHECK_OK(keyctl(KEYCTL_DESCRIBE, key, text, 100));
		CHECK_EQ(keyctl(KEYCTL_READ, key, text, 100), 4);
		CHECK_ERR(keyctl(KEYCTL_UPDATE, key, "x", 1), EACCES);
		CHECK_ERR(keyctl(KEYCTL_SETPERM, key, EVERYTHING), EACCES);
		CHECK_ERR(keyctl(KEYCTL_REVOKE, key), EACCES);
		key = key_in(KEY_SPEC_SESSION_KEYRING, "mine");
		CHECK_ERR(keyctl(KEYCTL_CHOWN, key, 0, -1), EACCES);
		CHECK_ERR(keyctl(KEYCTL_CHOWN, key, -1, 0), EACCES);
		CHECK_OK(keyctl(KEYCTL_CHOWN, key, -1, -1));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(keyctl(KEYCTL_CHOWN, key, 1234, 4321));
	CHECK(strncmp(described(key), "user;1234;4321;", 15) == 0);
}

CASE(quotas_bound_a_user, "keyrings(7)")
{
	char name[32];
	int count;
	pid_t child;

	NEEDS_ROOT();
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setresuid(7654, 7654, 7654));
		new_session();
		for (count = 0; count < 1000; count++) {
			snprintf(name, sizeof(name), "key %d", count);
			if (add_key("user", name, "data", 4, KEY_SPEC_SESSION_KEYRING) == -1)
				break;
		}
		CHECK_EQ(errno, EDQUOT);
		CHECK(count > 100 && count <= 200);
		CHECK_OK(keyctl(KEYCTL_CLEAR, KEY_SPEC_SESSION_KEYRING));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(a_restricted_keyring_takes_no_more_links, "keyctl(2)")
{
	long ring, key;

	new_session();
	ring = CHECK_OK(add_key("keyring", "ring", NULL, 0, KEY_SPEC_SESSION_KEYRING));
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_OK(keyctl(KEYCTL_RESTRICT_KEYRING, ring, NULL, NULL));
	CHECK_ERR(keyctl(KEYCTL_LINK, key, ring), EPERM);
	CHECK_ERR(add_key("user", "two", "x", 1, ring), EPERM);
}

CASE(named_sessions_are_joined, "keyctl(2)")
{
	long first;

	new_session();
	CHECK_ERR(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 8), EFAULT);
	CHECK_ERR(keyctl(KEYCTL_JOIN_SESSION_KEYRING, ".hidden"), EPERM);
	first = CHECK_OK(keyctl(KEYCTL_JOIN_SESSION_KEYRING, "a case's session"));
	CHECK(strstr(described(first), ";3f130000;a case's session"));
	CHECK_OK(keyctl(KEYCTL_SETPERM, first, 0x3f3f0000));
	CHECK_EQ(keyctl(KEYCTL_JOIN_SESSION_KEYRING, "a case's session"), 0);
}

CASE(nobody_asks_us_to_construct_keys, "keyctl(2)")
{
	long key;

	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_ERR(keyctl(KEYCTL_INSTANTIATE, key, "x", 1, 0), EPERM);
	CHECK_ERR(keyctl(KEYCTL_NEGATE, key, 1, 0), EPERM);
	CHECK_EQ(keyctl(KEYCTL_ASSUME_AUTHORITY, 0), 0);
	CHECK_ERR(keyctl(KEYCTL_ASSUME_AUTHORITY, key), ENOKEY);
	CHECK_EQ(keyctl(KEYCTL_SET_REQKEY_KEYRING, 1), 0);
	CHECK_EQ(keyctl(KEYCTL_SET_REQKEY_KEYRING, -1), 1);
	CHECK_ERR(keyctl(KEYCTL_SET_REQKEY_KEYRING, 99), EINVAL);
	CHECK_EQ(keyctl(KEYCTL_GET_SECURITY, key, text, 10), 1);
}

CASE(proc_lists_keys_and_users, "keyrings(7)")
{
	char line[128];
	long key;

	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "listed");
	snprintf(line, sizeof(line), "%08lx I--Q--- ", key);
	CHECK(strstr(text_of("/proc/keys"), line));
	snprintf(line, sizeof(line), " perm 3f010000 %5d %5d user      listed: 4\n", geteuid(), getegid());
	CHECK(strstr(text_of("/proc/keys"), line));
	snprintf(line, sizeof(line), "%5d:", geteuid());
	CHECK(strstr(text_of("/proc/key-users"), line));
}

CASE(updating_makes_an_expired_key_good_again, "add_key(2)")
{
	long key;

	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_OK(keyctl(KEYCTL_SET_TIMEOUT, key, 1));
	usleep(1200000);
	CHECK_ERR(keyctl(KEYCTL_UPDATE, key, "x", 1), EKEYEXPIRED);
	CHECK_EQ(add_key("user", "one", "longer", 6, KEY_SPEC_SESSION_KEYRING), key);
	CHECK_EQ(keyctl(KEYCTL_READ, key, text, sizeof(text)), 6);
}

CASE(reading_what_is_no_key_gives_ENOKEY, "keyctl(2)")
{
	new_session();
	CHECK_ERR(keyctl(KEYCTL_READ, 0, text, 10), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_READ, KEY_SPEC_GROUP_KEYRING, text, 10), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_READ, KEY_SPEC_THREAD_KEYRING, text, 10), ENOKEY);
}

CASE(restrictions_are_checked, "keyctl(2)")
{
	long key;

	new_session();
	key = key_in(KEY_SPEC_SESSION_KEYRING, "one");
	CHECK_ERR(keyctl(KEYCTL_RESTRICT_KEYRING, KEY_SPEC_SESSION_KEYRING, "user", NULL), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_RESTRICT_KEYRING, KEY_SPEC_SESSION_KEYRING, NULL, "x"), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_RESTRICT_KEYRING, KEY_SPEC_SESSION_KEYRING, "user", "x"), ENOENT);
	CHECK_ERR(keyctl(KEYCTL_RESTRICT_KEYRING, KEY_SPEC_SESSION_KEYRING, "no such", "x"), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_RESTRICT_KEYRING, KEY_SPEC_SESSION_KEYRING, ".user", "x"), EPERM);
	CHECK_ERR(keyctl(KEYCTL_RESTRICT_KEYRING, KEY_SPEC_SESSION_KEYRING, 8, "x"), EFAULT);
	CHECK_ERR(keyctl(KEYCTL_RESTRICT_KEYRING, key, NULL, NULL), ENOTDIR);
	CHECK_OK(keyctl(KEYCTL_RESTRICT_KEYRING, KEY_SPEC_SESSION_KEYRING, NULL, NULL));
	CHECK_ERR(keyctl(KEYCTL_RESTRICT_KEYRING, KEY_SPEC_SESSION_KEYRING, NULL, NULL), EEXIST);
	CHECK_ERR(add_key("user", "one", "x", 1, KEY_SPEC_SESSION_KEYRING), EPERM);
	CHECK_OK(keyctl(KEYCTL_UPDATE, key, "x", 1));
}

CASE(capabilities_say_what_there_is, "keyctl(2)")
{
	unsigned char known[8];

	memset(known, 0xff, sizeof(known));
	CHECK_EQ(keyctl(KEYCTL_CAPABILITIES, known, sizeof(known)), 2);
	CHECK_EQ(known[2] | known[7], 0);
	CHECK((known[0] & 0xe3) == 0xe3);
	CHECK((known[1] & 3) == 3);
	CHECK_EQ(keyctl(KEYCTL_CAPABILITIES, NULL, 0), 2);
	CHECK_ERR(keyctl(KEYCTL_CAPABILITIES, 8, 2), EFAULT);
	if (!(known[0] & KEYCTL_CAPS0_DIFFIE_HELLMAN))
		CHECK_ERR(keyctl(KEYCTL_DH_COMPUTE, 0, 0, 0, 0), EOPNOTSUPP);
	CHECK_ERR(keyctl(KEYCTL_PKEY_QUERY, 0, 1, "", text), EINVAL);
	if (!(known[1] & 4))
		CHECK_ERR(keyctl(32, KEY_SPEC_SESSION_KEYRING, -1, 1), EOPNOTSUPP);
	if (known[0] & KEYCTL_CAPS0_BIG_KEY) {
		new_session();
		CHECK_OK(add_key("big_key", "big", text, sizeof(text), KEY_SPEC_SESSION_KEYRING));
	}
}

CASE(the_session_is_given_to_the_parent, "keyctl(2)")
{
	long ring, mine;
	pid_t child, grandchild;
	int status;

	child = fork_child();
	if (child == 0) {
		mine = new_session();
		grandchild = fork_child();
		if (grandchild == 0) {
			CHECK_OK(keyctl(KEYCTL_SESSION_TO_PARENT));
			CHECK_OK(keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL));
			key_in(KEY_SPEC_SESSION_KEYRING, "given");
			CHECK_OK(keyctl(KEYCTL_SESSION_TO_PARENT));
			_exit(0);
		}
		CHECK_EQ(waitpid(grandchild, &status, 0), grandchild);
		CHECK_EQ(status, 0);
		ring = CHECK_OK(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
		CHECK(ring != mine);
		CHECK_OK(request_key("user", "given", NULL, NONE));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(a_persistent_keyring_outlives_its_links, "persistent-keyring(7)")
{
	char expected[64];
	long ring, key;

	new_session();
	ring = CHECK_OK(keyctl(KEYCTL_GET_PERSISTENT, -1, KEY_SPEC_SESSION_KEYRING));
	snprintf(expected, sizeof(expected), "keyring;%d;65534;1f030000;_persistent.%d", geteuid(), geteuid());
	CHECK_STREQ(described(ring), expected);
	key = key_in(ring, "kept by the user");
	CHECK_OK(keyctl(KEYCTL_UNLINK, ring, KEY_SPEC_SESSION_KEYRING));
	CHECK_EQ(keyctl(KEYCTL_GET_PERSISTENT, geteuid(), KEY_SPEC_SESSION_KEYRING), ring);
	CHECK_EQ(request_key("user", "kept by the user", NULL, NONE), key);
	CHECK_OK(keyctl(KEYCTL_UNLINK, key, ring));
	CHECK_ERR(keyctl(KEYCTL_GET_PERSISTENT, -1, 0), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_GET_PERSISTENT, -1, 0x7ffffff1), ENOKEY);
	if (geteuid() != 0)
		CHECK_ERR(keyctl(KEYCTL_GET_PERSISTENT, 0, KEY_SPEC_SESSION_KEYRING), EPERM);
}

CASE(keys_and_limits_are_told_below_proc_sys, "proc_sys_kernel_keys(5)")
{
	CHECK_EQ(atol(text_of("/proc/sys/kernel/keys/gc_delay")), 300);
	CHECK_EQ(atol(text_of("/proc/sys/kernel/keys/maxkeys")), 200);
	CHECK_EQ(atol(text_of("/proc/sys/kernel/keys/maxbytes")), 20000);
	CHECK_EQ(atol(text_of("/proc/sys/kernel/keys/root_maxkeys")), 1000000);
	CHECK_EQ(atol(text_of("/proc/sys/kernel/keys/root_maxbytes")), 25000000);
	CHECK_EQ(atol(text_of("/proc/sys/kernel/keys/persistent_keyring_expiry")), 259200);
}

CASE(a_pipe_for_notifications_needs_them, "pipe(2)")
{
	int ends[2];
	int result = syscall(SYS_pipe2, ends, O_EXCL);

	if (result == -1)
		CHECK_EQ(errno, ENOPKG);
}
