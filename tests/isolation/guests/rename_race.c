/*
 * rename_race DIRECTORY TRIES: one thread moves a directory to and fro while others open names through it and `..`
 * from it; whoever reads what stands in a file `secret` says so.
 */
#include "hostile.h"

#include <pthread.h>

static volatile int over;
static unsigned opened;
static int top;

static void *move(void *unused)
{
	(void)unused;
	while (!over) {
		renameat(top, "deep/er/moved", top, "moved");
		renameat(top, "moved", top, "deep/er/moved");
	}
	return NULL;
}

static void look(int at, const char *path)
{
	char text[64] = "";
	int file = openat(at, path, O_RDONLY);

	if (file < 0)
		return;
	opened++;
	if (read(file, text, sizeof(text) - 1) > 0 && strstr(text, "TOP SECRET"))
		dprintf(1, "ESCAPED by %s\n", path);
	close(file);
}

int main(int argc, char **argv)
{
	static const char *const paths[] = {
		"deep/er/moved/../../../secret/secret", "moved/../../secret/secret", "deep/er/moved/../../../../secret/secret",
		"swapped/secret", "swapped/../secret/secret", "swapped/../../secret", "swapped/inner/../secret",
		"link/secret", "deep/../swapped/secret", "../secret/secret", "moved/../../../../secret/secret",
	};
	pthread_t mover;
	int tries, moved;
	unsigned found = 0;

	if (argc != 3 || (top = open(argv[1], O_RDONLY | O_DIRECTORY)) < 0)
		return 2;
	tries = atoi(argv[2]);
	mkdirat(top, "deep", 0777);
	mkdirat(top, "deep/er", 0777);
	mkdirat(top, "moved", 0777);
	pthread_create(&mover, NULL, move, NULL);
	for (int i = 0; i < tries; i++) {
		look(top, paths[i % COUNT(paths)]);
		if (i % 16 == 0 && (moved = openat(top, "deep/er/moved", O_RDONLY | O_DIRECTORY)) >= 0) {
			found++;
			look(moved, "../../../secret/secret");
			look(moved, "../../secret/secret");
			look(moved, "../../../../../../secret/secret");
			close(moved);
		}
	}
	over = 1;
	pthread_join(mover, NULL);
	printf("done: %d tries, %u opened, directory seen %u times\n", tries, opened, found);
	return 0;
}
