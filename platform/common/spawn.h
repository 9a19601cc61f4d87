/* The first stub of a back-end whose stubs are host processes. */
#ifndef SPAWN_H
#define SPAWN_H

#include <stdbool.h>

#define SPAWN_FDS 8 /* at most */

struct stub_plan {
	int program;	   /* an open descriptor of the stub program */
	const int *fds;	   /* what the stub has as its descriptors 0, 1, ...; it has no others */
	int count;	   /* ... so many */
	int woken_by;	   /* the signal that it lets in beside those that the CPU raises; 0: none */
	bool fixed_layout; /* without address randomisation, which personality(2) must be free to turn off */
};

/* Start it, a child of ours: its process id, or -errno of what failed up to and including exec. */
int stub_spawn(const struct stub_plan *plan);

#endif
