/*
 * request_key(2) with callout information: keys that a program constructs.  Natively the kernel starts the
 * host's /sbin/request-key, so these cases use what the configuration of Debian's keyutils answers to: keys
 * of type user whose names begin with "debug:" (request-key.conf(5)).
 */
#include "harness.h"
#include "fixtures.h"

#include <linux/keyctl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/uio.h>

static char text[4096];

static long request_key(const char *type, const char *name, const char *callout, long ring)
{
	return syscall(SYS_request_key, type, name, callout, ring);
}

#define keyctl(...) syscall(SYS_keyctl, __VA_ARGS__)

static long new_session(void)
{
	long ring = keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL);

	if (ring == -1 && (errno == ENOSYS || errno == EPERM))
		SKIP("no keys here");
	if (access("/sbin/request-key", X_OK) != 0 || access("/etc/request-key.conf", R_OK) != 0 ||
	    access("/usr/share/keyutils/request-key-debug.sh", X_OK) != 0)
		SKIP("needs keyutils");
	return CHECK_OK(ring);
}

/* A name that nobody else asks for. */
static const char *name_of(const char *what)
{
	static char name[128];

	snprintf(name, sizeof(name), "debug:%s:%d", what, getpid());
	return name;
}

CASE(a_program_constructs_the_key, "request_key(2)")
{
	char expected[128];
	long session = new_session(), key;

	key = CHECK_OK(request_key("user", "debug:one", "callout", KEY_SPEC_SESSION_KEYRING));
	CHECK_EQ(keyctl(KEYCTL_READ, key, text, sizeof(text)), 13);
	CHECK(memcmp(text, "Debug callout", 13) == 0);
	memset(text, 0, sizeof(text));
	CHECK_OK(keyctl(KEYCTL_DESCRIBE, key, text, sizeof(text)));
	snprintf(expected, sizeof(expected), "user;%d;%d;3f010000;debug:one", geteuid(), getegid());
	CHECK_STREQ(text, expected);
	CHECK_EQ(request_key("user", "debug:one", NULL, 0), key);
	CHECK_EQ(request_key("user", "debug:one", "other callout", 0), key);
	CHECK_EQ(keyctl(KEYCTL_SEARCH, session, "user", "debug:one", 0), key);
}

CASE(without_callout_information_nothing_is_constructed, "request_key(2)")
{
	new_session();
	CHECK_ERR(request_key("user", "debug:two", NULL, KEY_SPEC_SESSION_KEYRING), ENOKEY);
	CHECK_OK(request_key("user", "debug:two", "", KEY_SPEC_SESSION_KEYRING));
}

CASE(the_program_decides_about_the_error, "request_key(2)")
{
	char name[128];
	static const struct {
		const char *callout;
		int error;
	} answers[] = {
		{ "negate", ENOKEY }, { "rejected", EKEYREJECTED }, { "expired", EKEYEXPIRED }, { "revoked", EKEYREVOKED },
	};

	new_session();
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		snprintf(name, sizeof(name), "debug:%s", answers[i].callout);
		CHECK_ERR(request_key("user", name, answers[i].callout, KEY_SPEC_SESSION_KEYRING), answers[i].error);
		/* the negative key answers from now on, for half a minute */
		CHECK_ERR(request_key("user", name, NULL, 0), answers[i].error);
		CHECK_ERR(keyctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", name, 0), answers[i].error);
	}
}

CASE(a_key_that_nobody_constructs_is_negative, "request_key(2)")
{
	long ids[2], key;

	new_session();
	memset(ids, 0, sizeof(ids));
	CHECK_ERR(request_key("user", "nobody constructs this", "x", KEY_SPEC_SESSION_KEYRING), ENOKEY);
	CHECK_EQ(keyctl(KEYCTL_READ, KEY_SPEC_SESSION_KEYRING, ids, sizeof(ids)), 4);
	key = (int)ids[0];
	CHECK_ERR(keyctl(KEYCTL_READ, key, text, sizeof(text)), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_UPDATE, key, "x", 1), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_LINK, key, KEY_SPEC_PROCESS_KEYRING), ENOKEY);
	CHECK_OK(keyctl(KEYCTL_DESCRIBE, key, text, sizeof(text)));
	CHECK_EQ(keyctl(KEYCTL_GET_SECURITY, key, text, sizeof(text)), 1);
	CHECK_OK(keyctl(KEYCTL_SETPERM, key, 0x3f3f0000));
	/* who adds the key makes it a good one */
	CHECK_EQ(syscall(SYS_add_key, "user", "nobody constructs this", "data", 4, KEY_SPEC_SESSION_KEYRING), key);
	CHECK_EQ(keyctl(KEYCTL_READ, key, text, sizeof(text)), 4);
	CHECK_EQ(request_key("user", "nobody constructs this", NULL, 0), key);
}

CASE(a_negative_key_is_listed_with_its_time, "keyrings(7)")
{
	const char *name = name_of("listed");
	const char *line, *start;

	new_session();
	CHECK_ERR(request_key("user", name, "negate", KEY_SPEC_SESSION_KEYRING), ENOKEY);
	start = text_of("/proc/keys");
	line = strstr(start, name);
	CHECK(line);
	CHECK_EQ(line[strlen(name)], '\n');
	while (line > start && line[-1] != '\n')
		line--;
	CHECK(strncmp(line + 8, " I--Q-N- ", 9) == 0);
	CHECK(strstr(line, "30s 3f010000 ") || strstr(line, "29s 3f010000 "));
}

CASE(what_cannot_be_requested_is_refused, "request_key(2)")
{
	new_session();
	CHECK_ERR(request_key("keyring", "debug:ring", "x", 0), EPERM);
	CHECK_ERR(request_key("user", "", "x", 0), EINVAL);
	CHECK_ERR(request_key("logon", "no prefix", "x", 0), EINVAL);
	CHECK_ERR(request_key("no such type", "debug:x", "x", 0), ENOKEY);
	CHECK_ERR(request_key("user", "debug:x", "x", 0x7ffffff1), ENOKEY);
	memset(text, 'x', sizeof(text));
	CHECK_ERR(request_key("user", "debug:x", text, 0), EINVAL);
}

CASE(the_key_goes_into_the_default_keyring, "keyctl(2)")
{
	static const struct {
		int choice, ring;
	} choices[] = {
		{ KEY_REQKEY_DEFL_THREAD_KEYRING, KEY_SPEC_THREAD_KEYRING },
		{ KEY_REQKEY_DEFL_PROCESS_KEYRING, KEY_SPEC_PROCESS_KEYRING },
		{ KEY_REQKEY_DEFL_SESSION_KEYRING, KEY_SPEC_SESSION_KEYRING },
		{ KEY_REQKEY_DEFL_USER_KEYRING, KEY_SPEC_USER_KEYRING },
		{ KEY_REQKEY_DEFL_USER_SESSION_KEYRING, KEY_SPEC_USER_SESSION_KEYRING },
	};

	new_session();
	CHECK_OK(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 1));
	CHECK_OK(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1));
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		char name[64];
		long key;

		snprintf(name, sizeof(name), "debug:default %zu:%d", i, getpid());
		CHECK_OK(keyctl(KEYCTL_SET_REQKEY_KEYRING, choices[i].choice));
		key = CHECK_OK(request_key("user", name, "x", 0));
		CHECK_EQ(keyctl(KEYCTL_SEARCH, choices[i].ring, "user", name, 0), key);
		/* the program of keyutils links what it constructs to the session as well */
		keyctl(KEYCTL_UNLINK, key, KEY_SPEC_SESSION_KEYRING);
		if (choices[i].ring != KEY_SPEC_SESSION_KEYRING)
			CHECK_OK(keyctl(KEYCTL_UNLINK, key, choices[i].ring));
	}
}

CASE(the_first_of_the_requestors_keyrings_is_the_default, "keyctl(2)")
{
	const char *name = name_of("first");
	long key;

	new_session();
	CHECK_OK(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1));
	key = CHECK_OK(request_key("user", name, "x", 0));
	CHECK_EQ(keyctl(KEYCTL_SEARCH, KEY_SPEC_PROCESS_KEYRING, "user", name, 0), key);
}

static void *request(void *name)
{
	return (void *)request_key("user", name, "x", KEY_SPEC_SESSION_KEYRING);
}

CASE(threads_that_request_the_same_key_get_one, "request_key(2)")
{
	char name[128];
	pthread_t threads[4];
	void *keys[4];
	int i;

	strcpy(name, name_of("shared"));
	new_session();
	for (i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, request, name), 0);
	for (i = 0; i < 4; i++) {
		CHECK_EQ(pthread_join(threads[i], &keys[i]), 0);
		CHECK(keys[i] == keys[0] && (long)keys[i] > 0);
	}
	CHECK_EQ(keyctl(KEYCTL_READ, KEY_SPEC_SESSION_KEYRING, NULL, 0), 4);
}

CASE(the_program_is_not_a_child_of_the_requestor, "request_key(2)")
{
	handle(SIGCHLD, count_signal, 0);
	new_session();
	CHECK_OK(request_key("user", "debug:child", "x", KEY_SPEC_SESSION_KEYRING));
	CHECK_EQ(signals_seen, 0);
	CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
}

CASE(only_who_was_asked_has_the_authority, "keyctl(2)")
{
	struct iovec vector = { "x", 1 };
	long key;

	new_session();
	key = CHECK_OK(request_key("user", "debug:authority", "x", KEY_SPEC_SESSION_KEYRING));
	CHECK_ERR(keyctl(KEYCTL_ASSUME_AUTHORITY, key), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_ASSUME_AUTHORITY, -1), EINVAL);
	CHECK_EQ(keyctl(KEYCTL_ASSUME_AUTHORITY, 0), 0);
	CHECK_ERR(keyctl(KEYCTL_INSTANTIATE, key, "x", 1, 0), EPERM);
	CHECK_ERR(keyctl(KEYCTL_INSTANTIATE, key, "x", 1 << 20, 0), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_INSTANTIATE_IOV, key, &vector, 1, 0), EPERM);
	CHECK_ERR(keyctl(KEYCTL_INSTANTIATE_IOV, key, 8, 1, 0), EFAULT);
	CHECK_ERR(keyctl(KEYCTL_INSTANTIATE_IOV, key, &vector, 1025, 0), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_NEGATE, key, 1, 0), EPERM);
	CHECK_ERR(keyctl(KEYCTL_REJECT, key, 1, EKEYREJECTED, 0), EPERM);
	CHECK_ERR(keyctl(KEYCTL_REJECT, key, 1, 0, 0), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_REJECT, key, 1, 512, 0), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_REJECT, key, 1, 4095, 0), EINVAL);
	CHECK_ERR(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 0), ENOKEY);
	CHECK_ERR(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQUESTOR_KEYRING, 0), ENOKEY);
}

CASE(signals_do_not_disturb_a_construction, "request_key(2)")
{
	new_session();
	alarm_often(count_signal, 0);
	CHECK_OK(request_key("user", "debug:signals", "x", KEY_SPEC_SESSION_KEYRING));
	still();
}
