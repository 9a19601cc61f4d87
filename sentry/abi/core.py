"""Core files: their notes and structs (core(5), elf(5), <linux/elfcore.h>)."""

from __future__ import annotations

from struct import Struct

NT_PRSTATUS = 1
NT_FPREGSET = 2
NT_PRPSINFO = 3
NT_AUXV = 6
NT_X86_XSTATE = 0x202
NT_FILE = 0x46494C45
NT_SIGINFO = 0x53494749

NOTE = Struct("<III")  # n_namesz n_descsz n_type
# struct elf_prstatus: si_signo si_code si_errno, cursig, sigpend sighold, pid ppid pgrp sid, four times as
# (seconds, microseconds), 27 registers, fpvalid
PRSTATUS = Struct("<iiih2xQQ4i8q27Qi4x")
# struct elf_prpsinfo: state sname zomb nice, flag, uid gid, pid ppid pgrp sid, fname, psargs
PRPSINFO = Struct("<bcbb4xQII4i16s80s")
FILES_HEAD = Struct("<QQ")  # count, page size
FILES_ENTRY = Struct("<QQQ")  # start, end, offset in pages

# coredump_filter: the kinds of mappings
DUMP_ANON_PRIVATE = 0x1
DUMP_ANON_SHARED = 0x2
DUMP_MAPPED_PRIVATE = 0x4
DUMP_MAPPED_SHARED = 0x8
DUMP_ELF_HEADERS = 0x10
DUMP_HUGETLB_PRIVATE = 0x20
DUMP_HUGETLB_SHARED = 0x40

CORE_DUMPED = 0x80  # in a wait status: WCOREDUMP
