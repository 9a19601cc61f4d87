"""Sequences that random calls seldom happen upon: the way into the states where kernels have their bugs.

Each idiom is lines of the language of calls.py, with two things more: `$x` is the same slot in all of an
idiom (`>$x` keeps a result there, `FORK >$x`, `THREAD >$x` the child's number), and `'text'` is the address
of that text (`~` stands for a space, `^` for a newline).  Lines indented by a tab belong to the process or
thread above them.
"""

from __future__ import annotations

IDIOMS = tuple(
    text.strip("\n").splitlines()
    for text in r"""
unshare 0x10000000
openat -100 '/proc/self/setgroups' 1 0 >$f
write $f 'deny' 4
openat -100 '/proc/self/uid_map' 1 0 >$f
write $f '0~0~1'|'0~1000~1'|'0~0~4294967295'|'5~0~1^6~1~1'|'0~0~1^0~0~1'|'x' 5|6|11|14|1
openat -100 '/proc/self/gid_map' 1 0 >$f
write $f '0~0~1'|'0~1000~1' 5|6
setuid 0|5|1000
unshare 0x20000|0x28000000|0x40000000|0x6e020000
mount path path fstype 0 0
clone3 cloneargs 88

FORK >$p
	ptrace 0 0 0 0
	kill 0 19|2|10
	getppid
	write fd in len
	tgkill pid tid sig
wait4 $p out 0x40000000|2 0
ptrace 0x4200 $p 0 0x7f|0x100000|0x1e|0xff
ptrace 12 $p 0 regs
ptrace 13 $p 0 regs|out
ptrace 16|7|24|9 $p 0 0|sig
wait4 $p out 0x40000001 0
ptrace 0x4204|0x4205 $p 1|2|0x202|0x203 regset
ptrace 1|2|3|6 $p addr|in|0|512 out|in
ptrace 24|9|7|31|17 $p 0 sig
wait4 -1 out 0x40000003 0

FORK >$p
	nanosleep timespec out
	ptrace 16 pid 0 0
	poll pollfd 4 10
	execve path argv argv
	THREAD >$q
		read fd out len
ptrace 0x4206|16 $p 0 0|0x7f|0xff
ptrace 0x4207 $p 0 0
wait4 $p out 0x40000002 0
ptrace 0x4202|0x4209|0x420e $p 64|88 out
ptrace 0x420a|0x420b $p 8 in|sigset
ptrace 24|0x4208 $p 0 sig
kill $p sig
wait4 $p out 0x40000003 0
ptrace 17|8|9 $p 0 0|sig

prctl 38 1 0 0 0
seccomp 1 8|9|0x18 notifying >$l
FORK >$p
	getppid
	getpgid 0
	sched_yield
seccomp 3 0 out
ioctl $l 0xc0502100 in|out
ioctl $l 0xc0182101 in|out
ioctl $l 0x40082102 in|out
ioctl $l 0x40182103 in|out
close $l
wait4 $p out 1 0

openat -100 '/proc/self/oom_score_adj'|'/proc/self/comm'|'/proc/self/timerslack_ns'|\
'/proc/self/coredump_filter'|\
'/proc/self/clear_refs'|'/proc/self/timens_offsets'|'/proc/self/loginuid'|'/proc/self/autogroup'|\
'/proc/sys/kernel/hostname'|'/proc/sys/kernel/pid_max'|'/proc/sys/kernel/shmmax'|\
'/proc/sys/kernel/sem'|'/proc/sys/kernel/msgmnb'|'/proc/sys/fs/mqueue/msg_max'|'/proc/sys/fs/file-max'|\
'/proc/sys/kernel/core_pattern'|'/proc/sys/kernel/ns_last_pid'|'/proc/sys/vm/overcommit_memory'|\
'/proc/sys/user/max_user_namespaces'|'/proc/self/mem'|'/proc/sys/kernel/printk' 2 0 >$f
write $f '0'|'-1'|'1000'|'99999999999999999999'|'1~2~3~4'|'x'|'monotonic~1~0^'|'0x7f'|\
'-1000^' 1|2|4|5|7|8|15|20|4096
pread64 $f out len off
lseek $f off 0|1|2
pwrite64 $f '1'|'2^' 1|2 off
read $f out len

mkdirat -100 '/sys/fs/cgroup/g' 0o755
openat -100 '/sys/fs/cgroup/g/pids.max'|'/sys/fs/cgroup/g/memory.max'|'/sys/fs/cgroup/g/cpu.max'|\
'/sys/fs/cgroup/g/cgroup.freeze'|'/sys/fs/cgroup/g/cgroup.kill'|'/sys/fs/cgroup/g/cgroup.type'|\
'/sys/fs/cgroup/g/memory.high'|'/sys/fs/cgroup/cgroup.subtree_control' 2 0 >$f
write $f '0'|'1'|'max'|'100000'|'5000~10000'|'+cpu~+memory~+pids'|'-pids'|'threaded' 1|3|6|10|18|5|8
FORK >$p
	openat -100 '/sys/fs/cgroup/g/cgroup.procs' 2 0 >$c
	write $c '0' 1
	mmap 0 pages 3 0x8022 -1 0 >map
	clone3 cloneargs 88
	unlinkat -100 '/sys/fs/cgroup/g' 0x200
write $f '0'|'max' 1|3
unlinkat -100 '/sys/fs/cgroup/g' 0x200

mkdirat -100 'mnt' 0o755
mount 'x' 'mnt' fstype 0|1 0|'size=64k'|'nr_inodes=4'|'mode=700,uid=1000'|\
'lowerdir=d,upperdir=u,workdir=w'|'size=-1'
chdir 'mnt'
openat -100 path 0x42 0o644 >$f
mmap 0 16384 3 1 $f 0 >map
FORK >$p
	mount 0 'mnt' 0 0x40000|0x80000|0x100000|0x20000 0
	unshare 0x20000
	umount2 'mnt' 2
umount2 '../mnt' 2|0|8|1
openat -100 path 0x42 0o644 >$g
fchdir $g
getcwd out len
renameat -100 path -100 '..'

openat -100 '/dev/ptmx' 0x102 0 >$m
ioctl $m 0x40045431 'x'|'^'|zeros
ioctl $m 0x5441 0x102 >$s
FORK >$p
	setsid
	ioctl $s 0x540e 0
	ioctl $s 0x5410 word
	read $s out len
	ioctl $s 0x5402 termios
	read $s out len
ioctl $m 0x5420 word
write $m 'abc^'|'\x03'|'\x1a'|'\x04'|'\x15\x16\x17\x12' 1|2|4
ioctl $s 0x5403|0x5402|0x5404 termios
ioctl $s 0x5409|0x540a|0x540b 0|1|2|3
write $s in len
read $m out len
ioctl $m 0x5414 in
close $m
read $s out len

openat -100 path 0x42 0o644 >$f
mmap 0 0x10000 3 1 $f 0 >$a
ftruncate $f 0x8000|1|0x10001
TOUCH $a 1
ftruncate $f 0|0x1000|off
TOUCH $a 0
FORK >$p
	TOUCH $a 1
	mremap $a 0x10000 0x20000 1 0 >$a
	write $f $a 0x20000
fallocate $f 3|0x10|0x20|8|1 off len
madvise $a 0x10000 4|9|21
msync $a 0x10000 4
process_vm_readv $p iovec 1 iovec 1 0
munmap $a 0x8000
read $f $a 0x10000

inotify_init1 0x800 >$i
inotify_add_watch $i path 0xfff|0x80000fff|0x20000fff >$w
fanotify_init 0x200|0x600|4|0xe00 2 >$f
fanotify_mark $f 1|0x101|0x11 0x3b|0x40000fff|0x10000|0x70000 -100 path
THREAD >$t
	openat -100 path 0x42 0o644 >file
	unlinkat -100 path 0|0x200
	renameat -100 path -100 path
	execve path argv argv
read $f out 4096
write $f in|out 8|24
read $i out len
inotify_rm_watch $i $w
close $f

epoll_create1 0 >$e
epoll_create1 0 >$g
epoll_ctl $e 1 $g epollevent
epoll_ctl $g 1 $e epollevent
epoll_ctl $g 1 fd epollevent
epoll_ctl $e 1 sock epollevent
THREAD >$t
	epoll_wait $e out 8 -1|5
	epoll_ctl $g 3|2 fd epollevent
epoll_wait $e out 8 1
dup $g >fd
close $g
epoll_wait $e out 64 0

socketpair 1 1|2|5 0 pair >sock
sendmsg sock msghdr 0x40
sendmsg sock msghdr 0x40
sendmsg sock msghdr 0x40
THREAD >$t
	recvmsg sock msghdr 0|0x40000000
	close sock
	sendmsg sock msghdr 0x40
close sock
close sock
recvmsg sock msghdr 2|0x40

io_setup 8 slotword
LOAD slotword >$c
LOAD slotword >$c
io_submit $c 1|2|4 iocbs
THREAD >$t
	io_getevents $c 1|4 8 out timespec
	io_destroy $c
io_submit $c 1|8 iocbs
io_cancel $c in out
io_getevents $c 0|1 8 out timespec
munmap $c 4096

futex word 6|134|13|141 0 timespec 0 0
THREAD >$t
	futex word 6|134|8 0 timespec 0 0
	futex word 11|139 0 timespec word 0
	exit 0
FORK >$p
	set_robust_list robust 24
	futex word 6 0 0 0 0
futex word 12|140 1 0|1 word 0|1
futex word 7|135 0 0 0 0
futex word 7|135 0 0 0 0
tgkill pid $t sig

timer_create 0|1|2|3|7 sigevent word
timer_create 0|1 sigevent word
timer_settime 0|1|2 0 itimerspec 0
rt_sigprocmask 0 sigset out 8
rt_sigqueueinfo 0|2 sig siginfo
rt_sigtimedwait sigset out timespec 8
signalfd4 -1 sigset 8 0x800 >$s
read $s out len
rt_sigsuspend sigset 8
timer_settime 0|1|2 1 itimerspec out
execve path argv argv

FORK >$p
	unshare 0x20000000
	FORK >$q
		setsid
		clone3 cloneargs 88
		kill -1 9|15|19
		FORK >$r
			kill 1 9|19|2
			pause
		exit_group 3
	wait4 -1 out 1 0
	FORK >$q
		getpid
pidfd_open $p 0|0x800 >$d
setns $d 0x20000000|0x10000000|0x6e020000
FORK >$q
	getpid
pidfd_send_signal $d sig 0 0
waitid 3 $d out 4|0x1000004 0

landlock_create_ruleset landlock 8|16|24 0 >$r
landlock_add_rule $r 1 landlockpath 0
prctl 38 1 0 0 0
landlock_restrict_self $r 0
openat -100 path 0x42 0o644 >file
renameat -100 path -100 path
linkat -100 path -100 path 0
ftruncate file off
mount path path fstype 0 0
execve path argv argv

openat -100 path 0x42 0o644 >$f
openat -100 path 0 0 >$g
fcntl $f 1024 0|1|2
fcntl $f 10 sig
fcntl $f 8 pid|0
fcntl $f 4 0x2000|0x800
THREAD >$t
	openat -100 path 2|0x802 0 >file
	fcntl $g 37|38|6|7 flock
	truncate path off
fcntl $f 37|38|7 flock
fcntl $g 36|5 flock
fcntl $f 1024 2
flock $f 2
close $f

keyctl 1 keyname >$r
add_key keytype keyname in len $r >$k
keyctl 8|9 $k $r|-3
keyctl 8 $r $r
keyctl 8 $r key
keyctl 5 $k 0x3f3f3f3f|0|in
keyctl 15 $k 0|1
request_key keytype keyname 0|'x' $r|-2
keyctl 3|21|7|10|11 $k|$r out|in len
keyctl 30 $k $r -2 0
keyctl 22|18|28 0|-1 -3|$r
keyctl 0..33 $k|$r $k|$r|in|out 0|$r|in 0|100

openat -100 path 0x42 0o755 >$f
write $f '#!/tmp/play/a~b^'|'#!^'|'#!/usr/bin/true^'|'\x7fELF\x02\x01\x01' 16|3|15|4096
fchmod $f 0o755|0o4755|0o6777
fsetxattr $f 'security.capability' in 20|24 0
close $f
FORK >$p
	execveat -100 path argv argv 0
	execve '/proc/self/exe'|'/t/interpreter' argv argv
VFORK >$q
	execve path argv argv
	exit 0
wait4 -1 out 1 0

fsopen 'tmpfs'|'proc'|'overlay'|'mqueue'|'sysfs' 1 >$c
fsconfig $c 1 'size'|'mode'|'source'|'nr_inodes' '1m'|'0755'|'x' 0
fsconfig $c 6 0 0 0
fsmount $c 1 0|1 >$m
mount_setattr $m '' 0x1000 mountattr 32
move_mount $m '' -100 'd'|'mnt'|path 4
open_tree -100 'd' 1|0x8001 >$t
move_mount $t '' -100 path 4
openat $m path 0x42 0o644 >file
close $m
pivot_root '.' 'd'
umount2 'd' 2

mq_open mqname 0x842 0o644 mqattr >$q
mq_notify $q sigevent
FORK >$p
	mq_timedreceive $q out 8192 0 timespec
	mq_notify $q sigevent
mq_timedsend $q in 8|100 0|1 timespec
mq_timedsend $q in 8 2 timespec
mq_notify $q 0
mq_unlink mqname
close $q

pipe2 pair 0|0x4000|0x800 >pipe
vmsplice pipe iovec 2 0|8
tee pipe pipe len 0|2
splice pipe 0 fd 0|off_in len 0|1
splice fd 0|off_in pipe 0 len 0|2
fcntl pipe 1031 4096|65536|1
THREAD >$t
	splice pipe 0 pipe 0 len 0
	read pipe out len
ioctl pipe 0x541b out
sendfile pipe file 0|off_in len
copy_file_range file 0|off_in file 0|off_in len 0
""".replace("\\\n", "").split("\n\n")
)
