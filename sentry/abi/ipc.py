"""System V IPC (sysvipc(7)): commands, flags and the structures of shmctl(2), semctl(2) and msgctl(2)."""

from __future__ import annotations

from struct import Struct

IPC_PRIVATE = 0
IPC_CREAT = 0o1000
IPC_EXCL = 0o2000
IPC_NOWAIT = 0o4000

IPC_RMID = 0
IPC_SET = 1
IPC_STAT = 2
IPC_INFO = 3

INDEX_BITS = 15  # of an id, below the sequence number
MNI_MAX = 1 << INDEX_BITS
SEQUENCE_MAX = 0x7FFFFFFF >> INDEX_BITS

# key uid gid cuid cgid mode seq
PERM = Struct("<iIIIIIH2x4x16x")

# Shared memory
SHM_LOCK = 11
SHM_UNLOCK = 12
SHM_STAT = 13
SHM_INFO = 14
SHM_STAT_ANY = 15
SHM_RDONLY = 0o10000
SHM_RND = 0o20000
SHM_REMAP = 0o40000
SHM_EXEC = 0o100000
SHM_DEST = 0o1000  # in shm_perm.mode
SHM_LOCKED = 0o2000
SHM_HUGETLB = 0o4000
SHM_NORESERVE = 0o10000
SHM_HUGE_SHIFT = 26
SHM_HUGE_MASK = 0x3F
SHMMNI = 4096
SHMMAX = 2**64 - 1 - (1 << 24)
SHMALL = 2**64 - 1 - (1 << 24)

SHMID_DS = Struct("<QqqqiiQ16x")  # after PERM: segsz atime dtime ctime cpid lpid nattch
SHMINFO = Struct("<5Q32x")  # shmmax shmmin shmmni shmseg shmall
SHM_INFO_STRUCT = Struct("<i4x5Q")  # used_ids tot rss swp swap_attempts swap_successes

# Semaphores
SEM_UNDO = 0x1000
GETPID = 11
GETVAL = 12
GETALL = 13
GETNCNT = 14
GETZCNT = 15
SETVAL = 16
SETALL = 17
SEM_STAT = 18
SEM_INFO = 19
SEM_STAT_ANY = 20
SEMMSL = 32000
SEMMNI = 32000
SEMMNS = SEMMNI * SEMMSL
SEMOPM = 500
SEMVMX = 32767
SEMAEM = 32767
SEMUSZ = 20

SEMBUF = Struct("<Hhh")  # num op flg
SEMID_DS = Struct("<q8xq8xQ16x")  # after PERM: otime ctime nsems
SEMINFO = Struct("<10i")  # map mni mns mnu msl opm ume usz vmx aem

# Message queues
MSG_STAT = 11
MSG_INFO = 12
MSG_STAT_ANY = 13
MSG_NOERROR = 0o10000
MSG_EXCEPT = 0o20000
MSG_COPY = 0o40000
MSGMNI = 32000
MSGMAX = 8192
MSGMNB = 16384
MSGSSZ = 16
MSGPOOL = MSGMNI * MSGMNB // 1024
MSGSEG_MAX = 0xFFFF

MSQID_DS = Struct("<qqqQQQii16x")  # after PERM: stime rtime ctime cbytes qnum qbytes lspid lrpid
MSGINFO = Struct("<7iH2x")  # pool map max mnb mni ssz tql seg
