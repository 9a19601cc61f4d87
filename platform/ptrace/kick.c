/* A wait that can be called off without loss and without cost.
 *
 * The hot path is one plain wait4.  Whoever wants the tracer's attention sets a flag and, if the tracer is in
 * kick_wait4 below, sends it KICK_SIGNAL.  Between testing the flags and entering the kernel lies a gap in
 * which the signal would be wasted; so the handler looks where it interrupted the tracer and moves it out of
 * the gap.  (If it interrupted another handler that sits on top of the gap, it postpones itself until that
 * one returns.)
 */
#include "ptrace.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define KICK_SIGNAL SIGURG /* ignored by default, so a late one does no harm */

/* Names for the assembler. */
__attribute__((used, visibility("hidden"))) atomic_int kick_flags;
__attribute__((used, visibility("hidden"))) atomic_int kick_waiting;
extern const char kick_begin[] __attribute__((visibility("hidden")));
extern const char kick_end[] __attribute__((visibility("hidden")));
extern const char kick_off[] __attribute__((visibility("hidden")));
extern const char kick_last[] __attribute__((visibility("hidden")));
long kick_wait4(int tid, int *status, int options, int flags) __attribute__((visibility("hidden")));

__asm__(".text\n"
	"	.hidden kick_wait4, kick_begin, kick_end, kick_off, kick_last\n"
	"	.globl kick_wait4, kick_begin, kick_end, kick_off, kick_last\n"
	"	.type kick_wait4, @function\n"
	"kick_wait4:\n"
	"	mov	$1, %eax\n"
	"	xchg	%eax, kick_waiting(%rip)\n" /* a full barrier, for op_kick */
	"	xor	%r10d, %r10d\n"
	"kick_begin:\n"
	"	test	%ecx, kick_flags(%rip)\n"
	"	jnz	kick_off\n"
	"	mov	$61, %eax\n" /* __NR_wait4 */
	"	syscall\n"
	"kick_end:\n"
	"	movl	$0, kick_waiting(%rip)\n"
	"	ret\n"
	"kick_off:\n"
	"	mov	$-4, %rax\n" /* -EINTR */
	"	movl	$0, kick_waiting(%rip)\n"
	"	ret\n"
	"kick_last:\n"
	"	.size kick_wait4, . - kick_wait4\n");

static pid_t tracer_pid, tracer_tid;
static timer_t timer;
static bool have_timer, ticking;
static struct sigaction previous;

static void on_signal(int signo, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;
	greg_t *rip = &interrupted->uc_mcontext.gregs[REG_RIP];
	const char *at = (const char *)*rip;
	if (info->si_code == SI_TIMER)
		atomic_fetch_or(&kick_flags, TICKED);
	if (!atomic_load(&kick_waiting))
		return;
	if (at >= kick_begin && at < kick_end) {
		*rip = (greg_t)kick_off;
	} else if (at < (const char *)kick_wait4 || at >= kick_last) {
		sigaddset(&interrupted->uc_sigmask, signo);
		syscall(SYS_tgkill, tracer_pid, tracer_tid, signo);
	}
}

int kick_init(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction child;
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KICK_SIGNAL};
	sigset_t unblock;
	tracer_pid = getpid();
	tracer_tid = (pid_t)syscall(SYS_gettid);
	event._sigev_un._tid = tracer_tid;
	sigfillset(&action.sa_mask);
	if (sigaction(KICK_SIGNAL, &action, &previous) < 0)
		return -errno;
	sigemptyset(&unblock);
	sigaddset(&unblock, KICK_SIGNAL);
	sigprocmask(SIG_UNBLOCK, &unblock, NULL);
	/* No SIGCHLD for each stop; and an ignored SIGCHLD would make the kernel reap for us. */
	if (sigaction(SIGCHLD, NULL, &child) < 0)
		return -errno;
	if (!(child.sa_flags & SA_SIGINFO) && child.sa_handler == SIG_IGN)
		child.sa_handler = SIG_DFL;
	child.sa_flags = (child.sa_flags | SA_NOCLDSTOP) & ~SA_NOCLDWAIT;
	if (sigaction(SIGCHLD, &child, NULL) < 0)
		return -errno;
	have_timer = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
	return have_timer ? 0 : -errno;
}

void kick_shutdown(void)
{
	if (have_timer)
		timer_delete(timer);
	have_timer = ticking = false;
	if (tracer_tid)
		sigaction(KICK_SIGNAL, &previous, NULL);
	tracer_tid = 0;
	atomic_store(&kick_flags, 0);
}

int kick_wait(int tid, int *status, int flags)
{
	return (int)kick_wait4(tid, status, __WALL | __WNOTHREAD, flags);
}

bool kick_take(int flag)
{
	return atomic_load(&kick_flags) & flag && atomic_fetch_and(&kick_flags, ~flag) & flag;
}

/* Async-signal-safe; any thread. */
void op_kick(void)
{
	int saved = errno;
	atomic_fetch_or(&kick_flags, KICKED);
	if (atomic_load(&kick_waiting))
		syscall(SYS_tgkill, tracer_pid, tracer_tid, KICK_SIGNAL);
	errno = saved;
}

static void tick_set(long ns)
{
	struct itimerspec when = {.it_interval.tv_nsec = ns, .it_value.tv_nsec = ns};
	timer_settime(timer, 0, &when, NULL);
	ticking = ns != 0;
}

bool tick_start(void)
{
	if (ticking)
		return false;
	tick_set(TICK_NS);
	return true;
}

void tick_stop(void)
{
	if (ticking)
		tick_set(0);
}
