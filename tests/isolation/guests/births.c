/* Makes processes and threads until its standard input ends; each has to come and to go as it should. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void *same(void *argument)
{
	return argument;
}

static int process(int n)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(n & 127);
	if (child < 0)
		return printf("turn %d: fork: %m\n", n), 1;
	if (waitpid(child, &status, 0) != child || status != (n & 127) << 8)
		return printf("turn %d: the child's status is %x\n", n, status), 1;
	return 0;
}

static int thread(int n)
{
	pthread_t id;
	void *result = NULL;
	int failed = pthread_create(&id, NULL, same, &n);

	if (failed)
		return printf("turn %d: pthread_create: error %d\n", n, failed), 1;
	if (pthread_join(id, &result) || result != &n)
		return printf("turn %d: a thread's result is %p\n", n, result), 1;
	return 0;
}

int main(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };

	puts("started");
	fflush(stdout);
	for (int n = 0; poll(&input, 1, 0) == 0; n++)
		if (process(n) || thread(n))
			return 1;
	return 0;
}
