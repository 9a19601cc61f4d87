/* Words of which the stubs' seccomp filters are made. */
#ifndef BPF_H
#define BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#define DATA(field) ((unsigned)offsetof(struct seccomp_data, field))
#define LOAD(where) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (where))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define UNLESS_EQ(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), 0, (skip))
#define KILL RETURN(SECCOMP_RET_KILL_PROCESS)
#define TRAP RETURN(SECCOMP_RET_TRAP)
#define ALLOW RETURN(SECCOMP_RET_ALLOW)

#define CALL(nr) UNLESS_EQ(nr, 1), ALLOW
/* ... only when the low half of argument `n` is `value`, or `other` */
#define CALL_WITH(nr, n, value) UNLESS_EQ(nr, 4), LOAD(DATA(args[n])), UNLESS_EQ(value, 1), ALLOW, KILL
#define CALL_WITH_EITHER(nr, n, value, other) \
	UNLESS_EQ(nr, 6), LOAD(DATA(args[n])), UNLESS_EQ(value, 1), ALLOW, UNLESS_EQ(other, 1), ALLOW, KILL

#endif
