/*
 * Makes things one after another, in rounds: says "ready", and for each line on standard input another round, then "done".
 * Harmless: it runs natively too.
 *
 *	churn forks|vforks|threads|detached|execs COUNT
 */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void fork_one(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(3);
	must(child > 0 && waitpid(child, &status, 0) == child && status == 3 << 8, "fork");
}

static void vfork_one(void)
{
	pid_t child = vfork();
	int status;

	if (child == 0)
		_exit(4);
	must(child > 0 && waitpid(child, &status, 0) == child && status == 4 << 8, "vfork");
}

static const char *self;

static void exec_one(void)
{
	char *arguments[] = { (char *)self, "nothing", NULL }, *environment[] = { NULL };
	int status;
	pid_t child;

	must(posix_spawn(&child, self, NULL, NULL, arguments, environment) == 0, "posix_spawn");
	must(waitpid(child, &status, 0) == child && status == 0, "waitpid");
}

static void *nothing(void *argument)
{
	return argument;
}

static void thread_one(void)
{
	pthread_t thread;

	must(pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0, "pthread_create");
}

static volatile int running;

static void *leave(void *argument)
{
	__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	return argument;
}

static void detached_one(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	__atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
	must(pthread_create(&thread, &attributes, leave, NULL) == 0, "pthread_create");
	while (running > 8)
		usleep(100);
}

static const struct {
	const char *name;
	void (*one)(void);
} kinds[] = {
	{ "forks", fork_one }, { "vforks", vfork_one }, { "execs", exec_one },
	{ "threads", thread_one }, { "detached", detached_one },
};

int main(int argc, char **argv)
{
	char line[16];

	self = argv[0];
	if (argc == 2)
		return 0;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && argc == 3; i++) {
		if (strcmp(argv[1], kinds[i].name) != 0)
			continue;
		puts("ready");
		fflush(stdout);
		while (fgets(line, sizeof(line), stdin)) {
			for (int n = atoi(argv[2]); n > 0; n--)
				kinds[i].one();
			while (running)
				usleep(100);
			puts("done");
			fflush(stdout);
		}
		return 0;
	}
	return 2;
}
