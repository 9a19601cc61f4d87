"""What plausible arguments of each system call are: a word for each argument, see `program.Writer.argument`.

fd      any descriptor; file, dir, sock, pipe, epfd, special: likely one of that kind; dirfd, AT_FDCWD too
addr    of a mapping, and pages a length for it; in, a buffer with something in it; out, one to be written to
name    one of program.STRUCTS: the address of such a structure; path, pid, tid, sig, len, off, mode
a|b|c   one of these; &a|b|c a sum of some
>kind   not an argument: where the result is kept, for later calls to use
"""

from __future__ import annotations

CALLS = """
read fd out len
write fd in len
open path &0|1|2|0x40|0x80|0x200|0x400|0x800|0x10000|0x20000|0x80000|0x200000|0x410000 mode >file
close fd
stat path out
fstat fd out
lstat path out
poll pollfd 0|1|4|8|1000 0|1|10|-1
lseek fd off 0|1|2|3|4
mmap 0|addr pages prot &1|2|0x10|0x20|0x100|0x4000|0x8000|0x100000 fd off >map
mmap 0 pages 3 0x22 -1 0 >map
mmap 0 pages 3 1 file 0 >map
mmap 0 pages 1 2 file 0 >map
mmap 0 pages 3 0x22 -1 0 >map
mmap 0 pages 7 0x22 -1 0 >map
mmap 0 pages 3 0x21 -1 0 >map
mprotect addr pages prot
munmap addr pages
brk 0|addr
rt_sigaction sig sigaction out 8
rt_sigprocmask 0|1|2 sigset out 8
ioctl fd 0x5401|0x5402|0x5403|0x540b|0x540e|0x540f|0x5410|0x5413|0x5414|0x5421|0x541b|0x5422|0x80045430|\
0x40045431|0x5450|0x5451|0x5452 in
pread64 file out len off
pwrite64 file in len off
readv fd iovec 0|1|2|8|1024
writev fd iovec 0|1|2|8|1024
access path 0|1|2|4|7
pipe pair >pipe
pipe2 pair &0x800|0x80000|0x4000 >pipe
select 0|8|64|1024 fdset fdset fdset timeval
sched_yield
mremap addr pages pages 0|1|2|3|4|5 addr >map
msync addr pages 0|1|2|4|6
mincore addr pages out
madvise addr pages 0|1|2|3|4|8|9|10|11|12|14|16|18|19|20|21|22|23
dup fd >fd
dup2 fd fd
dup3 fd fd 0|0x80000 >fd
nanosleep timespec out
getitimer 0|1|2 out
setitimer 1|2 itimerval out
sendfile file fd 0|off_in len
socket 1 1|2|5|0x801|0x80001 0 >sock
connect sock sockaddr 2|4|16|110
accept sock out lenword >sock
accept4 sock out lenword 0|0x800|0x80000 >sock
sendto sock in len &1|2|4|0x40|0x80|0x4000 0|sockaddr 0|16|110
recvfrom sock out len &1|2|0x20|0x40|0x100 0|out 0|lenword
sendmsg sock msghdr &1|0x40|0x4000
recvmsg sock msghdr &1|2|0x20|0x40|0x40000000
shutdown sock 0|1|2
bind sock sockaddr 2|4|16|110
listen sock 0|1|5|-1
getsockname sock out lenword
getpeername sock out lenword
socketpair 1 1|2|5|0x801 0 pair >sock
setsockopt sock 1 1..40 in 0|1|4|8|16
getsockopt sock 1 1..60 out lenword
uname out
fcntl fd 0|1|2|3|4|5|6|7|8|9|10|11|36|37|38|1024|1025|1030|1031|1032|1033|1034 0|1|2|0x800|0x400|4096|\
65536|1048576|flock|fd
flock fd 1|2|4|5|6|8
fsync file
fdatasync file
truncate path off
ftruncate file off
getdents dir out len
getdents64 dir out len
getcwd out len
chdir path
fchdir dir
rename path path
mkdir path mode
rmdir path
creat path mode >file
link path path
unlink path
symlink path path
readlink path out len
chmod path mode
fchmod file mode
chown path 0|1000|-1 0|1000|-1
fchown file 0|1000|-1 0|1000|-1
lchown path 0|1000|-1 0|1000|-1
umask mode
gettimeofday out 0|out
getrlimit 0..16 out
getrusage 0|1|-1 out
sysinfo out
times out
getuid
setuid 0|1000
setgid 0|1000
setpgid 0|pid 0|pid
getppid
setsid
setreuid -1|0|1000 -1|0|1000
setresuid -1|0|1000 -1|0|1000 -1|0|1000
getresuid out out out
getgroups 0|4|64 out
setgroups 0|4|64 in
getpgid 0|pid
getsid 0|pid
capget in out
capset in in
rt_sigpending out 8
rt_sigtimedwait sigset out timespec 8
rt_sigqueueinfo pid sig siginfo
rt_sigsuspend sigset 8
sigaltstack 0|sigstack out
utime path 0|timespec
mknod path 0x1180|0x8180|0x2180|0xc180 0|0x103|0x501
personality 0|0xffffffff|0x40000
statfs path out
fstatfs fd out
getpriority 0|1|2 0|pid
setpriority 0|1|2 0|pid 0|5|-5|19
sched_setparam 0|pid in
sched_getparam 0|pid out
sched_setscheduler 0|pid 0|1|2|3|5|6 in
sched_getscheduler 0|pid
sched_rr_get_interval 0|pid out
mlock addr pages
munlock addr pages
mlockall &1|2|4
munlockall
prctl 1|2|3|4|7|8|14|15|16|22|23|24|27|28|29|30|33|34|36|37|38|39|40|41|42|47 0|1|2|sig|in|out 0|1|in 0 0
arch_prctl 0x1003|0x1004|0x1011|0x1012 out
adjtimex in
setrlimit 0|2|3|4|8|9|11|12|13|14|15 rlimit
chroot path
sync
mount path path fstype &1|2|4|8|0x20|0x1000|0x2000|0x4000|0x20000|0x40000|0x80000|0x100000 0|in
umount2 path 0|1|2|4|8
sethostname in 0|1|5|64|65
gettid
readahead file off len
setxattr path name in 0|1|4|100|65536 0|1|2
lsetxattr path name in 0|1|4 0|1|2
fsetxattr file name in 0|1|4|100 0|1|2
getxattr path name out 0|1|4|100|65536
fgetxattr file name out 0|1|4|100
listxattr path out 0|1|100|65536
flistxattr file out 0|1|100
removexattr path name
fremovexattr file name
tkill tid sig
tgkill pid tid sig
kill pid sig
kill -1 0|18|28|17
time 0|out
futex word 0|1|2|3|4|5|6|7|8|9|10|11|12|13|128|129|131|132|133|134|135|136|137|138|139|140|265|393|267 0|\
1|2|3|-1 timespec|1|2 word 0|1|-1|0x81000001|0x42003004
futex word 0|128|137 wordvalue timespec 0 -1
sched_setaffinity 0|pid 8|128 in
sched_getaffinity 0|pid 8|128 out
epoll_create 1 >epfd
epoll_create1 0|0x80000 >epfd
epoll_ctl epfd 1|2|3 fd epollevent
epoll_wait epfd out 0|1|8|64 0|1|5|-1
epoll_pwait epfd out 0|1|8|64 0|1|5|-1 0|sigset 8
epoll_pwait2 epfd out 0|1|8 0|timespec 0|sigset 8
remap_file_pages addr pages 0 0..16 0
set_tid_address out
restart_syscall
fadvise64 file off len 0..7
timer_create 0|1|2|3|7|8 0|sigevent slotword >timer
timer_settime timer 0|1 itimerspec 0|out
timer_gettime timer out
timer_getoverrun timer
timer_delete timer
clock_gettime 0..12|-2|-6 out
clock_getres 0..12 out
clock_nanosleep 0|1|7 0|1 timespec out
utimes path 0|timespec
waitid 0|1|2|3 pid|fd out &1|2|4|8|0x01000000|0x20000000|0x40000000|0x80000000 0|out
wait4 pid|-1|0 0|out &1|2|8|0x20000000|0x40000000|0x80000000 0|out
openat dirfd path &0|1|2|0x40|0x80|0x200|0x400|0x800|0x10000|0x20000|0x80000|0x200000|0x410000 mode >file
openat2 dirfd path openhow 24 >file
mkdirat dirfd path mode
mknodat dirfd path 0x1180|0x8180|0x2180|0xc180 0|0x103|0x501
fchownat dirfd path 0|1000|-1 0|1000|-1 0|0x100|0x1000
futimesat dirfd path 0|timespec
newfstatat dirfd path out 0|0x100|0x1000|0x800
unlinkat dirfd path 0|0x200
renameat dirfd path dirfd path
renameat2 dirfd path dirfd path 0|1|2|4
linkat dirfd path dirfd path 0|0x400|0x1000
symlinkat path dirfd path
readlinkat dirfd path out len
fchmodat dirfd path mode
fchmodat2 dirfd path mode 0|0x100|0x1000
faccessat dirfd path 0|1|2|4|7
faccessat2 dirfd path 0|4|7 0|0x100|0x200|0x1000
pselect6 0|8|64 fdset fdset fdset timespec 0|in
ppoll pollfd 0|1|4|8 timespec 0|sigset 8
unshare &0x200|0x400|0x20000|0x40000|0x80|0x02000000|0x04000000|0x08000000|0x10000000|0x20000000|0x40000000
set_robust_list robust 24
get_robust_list 0|pid out out
splice pipe 0|off_in fd 0|off_in len 0|1|2|4
tee pipe pipe len 0|2
sync_file_range file off len 0..8
vmsplice pipe iovec 0|1|2|8 0|2|8
utimensat dirfd 0|path 0|timespec 0|0x100
signalfd fd|-1 sigset 8 >special
signalfd4 fd|-1 sigset 8 0|0x800|0x80000 >special
timerfd_create 0|1|7|8|9 0|0x800 >special
timerfd_settime special 0|1|3 itimerspec 0|out
timerfd_gettime special out
eventfd 0|1|5 >special
eventfd2 0|1|-1 0|1|0x800|0x801 >special
fallocate file 0|1|3|8|16|32 off len
preadv file iovec 0|1|2|8 off 0
pwritev file iovec 0|1|2|8 off 0
preadv2 file iovec 0|1|2|8 off 0 0|1|2|4|8|16
pwritev2 file iovec 0|1|2|8 off 0 0|1|2|4|8|16
rt_tgsigqueueinfo pid tid sig siginfo
recvmmsg sock mmsghdr 0|1|4 &1|2|0x40|0x10000 timespec
sendmmsg sock mmsghdr 0|1|4 &0x40|0x4000
prlimit64 0|pid 0|2|3|4|8|9|11|12|13|14|15 0|rlimit out
clock_adjtime 0|1 in
syncfs fd
setns fd 0|0x20000|0x10000000|0x20000000|0x04000000
getcpu out out
sched_setattr 0|pid in 0
sched_getattr 0|pid out 48|56|4096 0
getrandom out len 0|1|2
memfd_create name 0|1|2|3 >file
membarrier 0|1|2|4|8 0
mlock2 addr pages 0|1
copy_file_range file 0|off_in file 0|off_in len 0
pkey_mprotect addr pages prot -1|0|1
statx dirfd path 0|0x100|0x1000|0x2000|0x4000 0xfff out
pidfd_send_signal special sig 0|siginfo 0
pidfd_open pid 0|0x800 >special
clone3 cloneargs 64|80|88
shmget 0|1|2 0|1|4096|65536|1048576 0|0x1b6|0x3b6|0x7b6 >shm
shmat shm 0|addr &0x1000|0x2000|0x4000|0x8000 >map
shmdt addr
shmctl shm 0|1|2|3|11|12|13|14|15 0|out
semget 0|1|2 0|1|3|250 0|0x1b6|0x3b6|0x7b6 >sem
semop sem sembuf 0|1|2|4
semtimedop sem sembuf 0|1|2|4 timespec
semctl sem 0|1|3|5 0|1|2|3|11|12|13|14|15|16|17|18|19 0|1|-1|70000|out|in
msgget 0|1|2 0|0x1b6|0x3b6|0x7b6 >msg
msgsnd msg msgbuf 0|1|8|100|8192|9000 0|0x800
msgrcv msg out 0|1|8|100|9000 0|1|2|-2 &0x800|0x1000|0x2000|0x4000
msgctl msg 0|1|2|3|11|12|13 0|out|in
mq_open mqname &0|1|2|0x40|0x80|0x800 mode 0|mqattr >special
mq_unlink mqname
mq_timedsend special in 0|1|8|100|9000 0|1|2|40000 timespec
mq_timedreceive special out 8192|100|1|0 0|out timespec
mq_notify special 0|sigevent
mq_getsetattr special 0|mqattr 0|out
io_setup 0|1|8|70000 slotword
io_destroy 0|addr
io_submit addr 0|1|2 in
io_cancel addr in out
io_getevents addr 0|1 0|1|8 out timespec
futex_wake word 1|-1|0 0|1|3 0|2|0x82
futex_wait word 0|1 1|-1|0 2|0x82|0 timespec 0|1
futex_requeue waitv 0 0|1|2 0|1
add_key keytype keyname in 0|1|10|3000 -1|-2|-3|-4|-5|key >key
request_key keytype keyname 0 0|-1|-2|-3|-4
keyctl 0..32 -1|-2|-3|-4|-5|key key|out|in|0|-1 0|in|out|key 0|1|100
ioprio_set 1|2|3 0|pid 0|0x2004|0x4000|0x6007
ioprio_get 1|2|3 0|pid
get_mempolicy 0|out 0|out 0|64|1024 0|addr 0|1|2|3|4
set_mempolicy 0..6 0|in 0|1|64|5000
mbind addr pages 0..6 0|in 0|1|64 0|1|2|4
migrate_pages 0|pid 0|1|64 in in
move_pages 0|pid 0|1|8 in 0|out out 0|2|4
set_mempolicy_home_node addr pages 0|1 0
ptrace 0..15|16|17|24|31|32|33|0x4200..0x420f 0|pid addr|0|in|out in|out|0|addr
process_vm_readv 0|pid iovec 0|1|8 iovec 0|1|8 0
process_vm_writev 0|pid iovec 0|1|8 iovec 0|1|8 0
kcmp pid pid 0..9 fd fd
pidfd_getfd special fd 0 >fd
process_mrelease special 0
seccomp 0..4 0|1|2|4|8|0x10|0x20 fprog|0|out >special
name_to_handle_at dirfd path handle out 0|0x400|0x1000|0x200
open_by_handle_at fd handle 0|1|2 >file
open_tree dirfd path 0|1|0x80000|0x8001|0x1000 >dir
open_tree_attr dirfd path 0|1|0x8001 mountattr 32 >dir
move_mount dirfd path dirfd path &1|2|4|0x10|0x20|0x40|0x100|0x200
fsopen fstype 0|1 >special
fsconfig special 0..8 0|name 0|in 0|fd
fsmount special 0|1 0|1|2|4|8 >dir
fspick dirfd path 0|1|2|8 >special
mount_setattr dirfd path 0|0x8000|0x1000 mountattr 0|32|40
pivot_root path path
statmount mountid out 0|64|512|4096 0
listmount mountid out 0|1|100 0|1
landlock_create_ruleset 0|landlock 0|8|16|24 0|1|2 >special
landlock_add_rule special 0|1|2|3 landlockpath 0
landlock_restrict_self special 0|1
setxattrat dirfd path 0|0x100|0x1000 name xattrargs 16
getxattrat dirfd path 0|0x100|0x1000 name xattrargs 16
listxattrat dirfd path 0|0x100 out 0|1|100|65536
removexattrat dirfd path 0|0x100 name
file_getattr dirfd path out 0|24|4096 0|0x100
file_setattr dirfd path in 24 0|0x100
cachestat file in out 0
memfd_secret 0|0x80000 >file
quotactl 0x800002|0x80000700|0|-1 path 0 out
lsm_list_modules out lenword 0
lsm_get_self_attr 0|100|105 out lenword 0|1
syslog 0..10 out 0|8|100
acct 0|path
reboot 0xfee1dead 672274793 0|0x89abcdef 0
modify_ldt 0|1|17 in 0|16
arch_prctl 0x1001|0x1002|0x1012|0x1021|0x1022|0x5001 in|0|1
settimeofday timeval 0
clock_settime 0..3 timespec
sysfs 1|2|3 name|0|1 out
ustat 0..40 out
prctl 3|4|21|22|23|25|26|31|35|43..47|52|53|55..70|0x53564d41|0x59616d61 0|1|2|in 0|1|addr 0|1|pages 0|in
close_range 40|60|200 50|250|-1 0|2|4
process_madvise special iovec 0|1|2 20|21|3 0
futex_waitv waitv 0|1|2 0 timespec 0|1
mseal addr pages 0
inotify_init1 0x800 >special
inotify_add_watch special path 0xfff|0x1000fff|0x20000fff|0x80000002|0x10000002
inotify_rm_watch special 1|2
fanotify_init 0|2|0x200|0x600|4 0|2 >special
fanotify_mark special &1|2|4|8|0x10|0x80|0x100 0x3b|0x40000020|0x10000|0x400 dirfd 0|path
getpid
vhangup
execve path argv argv
execveat dirfd path argv argv 0|0x100|0x1000
"""
