/* A program that tells who it is once it was executed: a copy of the one that includes this, after harness.h. */
#ifndef REPORTS_H
#define REPORTS_H

#include "fixtures.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#define setresuid(real, effective, saved) syscall(SYS_setresuid, real, effective, saved)
#define setresgid(real, effective, saved) syscall(SYS_setresgid, real, effective, saved)
#define BIT(capability) (1ULL << (capability))
#define USER 1000

struct state {
	unsigned uid, euid, suid, gid, egid, sgid, fsuid;
	int secure, dumpable, securebits, death_signal;
	uint64_t effective, permitted, inheritable, ambient;
};

static inline struct state present(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct state state = { .secure = (int)getauxval(AT_SECURE) };

	syscall(SYS_getresuid, &state.uid, &state.euid, &state.suid);
	syscall(SYS_getresgid, &state.gid, &state.egid, &state.sgid);
	state.fsuid = syscall(SYS_setfsuid, -1);
	state.dumpable = prctl(PR_GET_DUMPABLE);
	state.securebits = prctl(PR_GET_SECUREBITS);
	prctl(PR_GET_PDEATHSIG, &state.death_signal);
	syscall(SYS_capget, &header, data);
	state.effective = data[0].effective | (uint64_t)data[1].effective << 32;
	state.permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	state.inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	for (int capability = 0; capability < 41; capability++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) == 1)
			state.ambient |= BIT(capability);
	return state;
}

/* As "report" this program tells who it is on descriptor 9. */
__attribute__((constructor)) static void report_state(int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "report") == 0) {
		struct state state = present();

		_exit(write(9, &state, sizeof(state)) == sizeof(state) ? 0 : 1);
	}
}

/* A copy of this program that anybody may execute. */
static inline void make_program(unsigned uid, unsigned gid, mode_t mode)
{
	int from = CHECK_OK(open("/proc/self/exe", O_RDONLY)), to;
	struct stat st;

	CHECK_OK(chmod(".", 0777));
	to = CHECK_OK(open("program", O_WRONLY | O_CREAT | O_TRUNC, 0755));
	CHECK_OK(fstat(from, &st));
	for (off_t left = st.st_size; left > 0;)
		left -= CHECK_OK(syscall(SYS_sendfile, to, from, NULL, left));
	CHECK_OK(fchown(to, uid, gid));
	CHECK_OK(fchmod(to, mode));
	close(from);
	close(to);
}

static inline void execute(int pipe_end)
{
	CHECK_OK(dup2(pipe_end, 9));
	execl("program", "report", NULL);
}

/* What "program" is after the caller has become `uid` and done `first`. */
static inline struct state state_of(unsigned uid, void (*first)(void))
{
	struct state state;
	int ends[2];
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		if (uid) {
			CHECK_OK(syscall(SYS_setgroups, 0, NULL));
			CHECK_OK(setresgid(uid, uid, uid));
			CHECK_OK(setresuid(uid, uid, uid));
		}
		if (first)
			first();
		execute(ends[1]);
		FAIL("execve: %s", errno_name(errno));
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK_EQ(read(ends[0], &state, sizeof(state)), sizeof(state));
	close(ends[0]);
	close(ends[1]);
	return state;
}

static inline void give_caps(uint64_t permitted, uint64_t inheritable, int effective)
{
	struct vfs_cap_data data = {
		.magic_etc = VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0),
		.data = {
			{ (uint32_t)permitted, (uint32_t)inheritable },
			{ (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
		},
	};

	CHECK_OK(setxattr("program", "security.capability", &data, sizeof(data), 0));
}

static inline void set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
	};

	CHECK_OK(syscall(SYS_capset, &header, data));
}

static inline void no_new_privileges(void)
{
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

#endif
