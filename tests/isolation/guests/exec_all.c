/* exec_all DIRECTORY: executes every file there; each must fail with an errno, exit or die by a signal. */
#include "hostile.h"

#include <dirent.h>
#include <errno.h>

int main(int argc, char **argv)
{
	unsigned failed = 0, exited = 0, killed = 0;
	struct dirent *entry;
	DIR *directory;

	if (argc != 2 || chdir(argv[1]) != 0 || !(directory = opendir(".")))
		return 2;
	while ((entry = readdir(directory))) {
		char *arguments[] = { entry->d_name, "argument", NULL };
		int status, null;
		pid_t child;

		if (entry->d_name[0] == '.')
			continue;
		child = fork();
		if (child == 0) {
			null = open("/dev/null", O_RDWR);
			dup2(null, 1);
			dup2(null, 2);
			alarm(1);	/* lasts over execve: a program that only loops is ended */
			execv(entry->d_name, arguments);
			_exit(errno ? 255 : 254);
		}
		if (child < 0 || waitpid(child, &status, 0) != child)
			return perror("exec_all"), 1;
		if (WIFSIGNALED(status))
			killed++;
		else if (WEXITSTATUS(status) == 255)
			failed++;
		else
			exited++;
	}
	printf("done: %u failed, %u exited, %u killed\n", failed, exited, killed);
	return 0;
}
