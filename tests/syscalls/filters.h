/* Programs for seccomp(2). */
#ifndef FILTERS_H
#define FILTERS_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), 0, (count))
#define PROGRAM(...) (struct sock_filter[]){ __VA_ARGS__ }, sizeof((struct sock_filter[]){ __VA_ARGS__ })

static inline long seccomp(unsigned operation, unsigned flags, void *argument)
{
	return syscall(SYS_seccomp, operation, flags, argument);
}

static inline long load(struct sock_filter *code, size_t size, unsigned flags)
{
	struct sock_fprog program = { .len = size / sizeof(*code), .filter = code };

	return seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
}

static inline void no_new_privs(void)
{
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* One call gets `verdict`, all others are allowed. */
static inline long filter_call(int number, unsigned verdict, unsigned flags)
{
	return load(PROGRAM(FIELD(nr), SKIP_UNLESS(number, 1), RETURN(verdict), RETURN(SECCOMP_RET_ALLOW)), flags);
}

#endif
