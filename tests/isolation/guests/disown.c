/*
 * Children that do all to hide the processes or threads that they make: what the platform's stub is about to report as
 * the result of clone(2) is overwritten with an error, where that lies in memory that the guest can write.
 *
 *	disown processes|threads	says how many births failed, and then reads its standard input to the end
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOT 0x7fff90000000UL	/* of a process' first thread: platform/systrap/shared.h */
#define ORDER_THREAD 9
#define ORDER_FORK 10
#define CHILDREN 15
#define BIRTHS 14		/* of each: as many failures as the platform believes in */

static struct {
	volatile unsigned failed, born;
} *shared;
static sigjmp_buf beyond;

static void give_up(int number)
{
	(void)number;
	siglongjmp(beyond, 1);
}

static void *lie(void *argument)
{
	volatile uint32_t *word = (volatile uint32_t *)(SLOT + 4);
	volatile int64_t *result = (volatile int64_t *)(SLOT + 8);

	if (sigsetjmp(beyond, 1) == 0)
		for (;;)
			if (*word == ORDER_FORK || *word == ORDER_THREAD)
				*result = -EAGAIN;
	return argument;
}

static void *rest(void *argument)
{
	pause();
	return argument;
}

static void process(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	if (child < 0)
		shared->failed++;
	else if (waitpid(child, NULL, 0) == child)
		shared->born++;
}

static void thread(void)
{
	pthread_t id;

	if (pthread_create(&id, NULL, rest, NULL))
		shared->failed++;
	else
		shared->born++;
}

int main(int argc, char **argv)
{
	void (*birth)(void) = argc > 1 && strcmp(argv[1], "threads") == 0 ? thread : process;
	char byte;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	signal(SIGSEGV, give_up);
	for (int n = 0; n < CHILDREN; n++) {
		pid_t child = fork();

		if (child == 0) {
			pthread_t liar;

			alarm(5); /* it may have taken its own exit_group(2) for something else */
			pthread_create(&liar, NULL, lie, NULL);
			usleep(1000);
			for (int i = 0; i < BIRTHS; i++)
				birth();
			_exit(0);
		}
		if (child < 0 || waitpid(child, NULL, 0) != child)
			return printf("child %d: %m\n", n), 1;
	}
	printf("%u failed, %u went well\n", shared->failed, shared->born);
	fflush(stdout);
	return read(0, &byte, 1) != 0;
}
