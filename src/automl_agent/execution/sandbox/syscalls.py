"""Numbers of the system calls that the filter names: (x86_64, aarch64), as in the kernel's syscall tables.

None: the architecture has no such call.
"""

from __future__ import annotations

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""`platform.machine()` -> AUDIT_ARCH, in the order of the columns."""

FIRST_UNKNOWN = 463
"""Calls from this number on were added after Linux 6.12; programs get ENOSYS, and do without."""

DENIED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "perf_event_open": (298, 241),
    # the tree of files
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429),
    "open_tree": (428, 428), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264), "quotactl": (179, 60), "quotactl_fd": (443, 443), "fanotify_init": (300, 262),
    "swapon": (167, 224), "swapoff": (168, 225),
    # namespaces; `clone` is looked at below
    "unshare": (272, 97), "setns": (308, 268),
    # doors into the kernel that are often found open
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "bpf": (321, 280),
    "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    # the machine
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "acct": (163, 89), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266), "syslog": (103, 116),
    "sethostname": (170, 161), "setdomainname": (171, 162), "personality": (135, 92), "iopl": (172, None),
    "ioperm": (173, None), "vhangup": (153, 58), "uselib": (134, None), "ustat": (136, None), "_sysctl": (156, None),
    "modify_ldt": (154, None), "statmount": (457, 457), "listmount": (458, 458),
    # memory that outlives its process or is seen by no meter
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "memfd_secret": (447, 447),
    # out into the network; a server answers without them
    "connect": (42, 203),
}  # fmt: skip

ABSENT: dict[str, tuple[int | None, int | None]] = {
    "clone3": (435, 435),  # its flags lie in memory, where a filter cannot look; the C library takes clone() instead
    "memfd_create": (319, 279),  # memory that is seen by no meter
}
"""Answered with ENOSYS, so that callers take another way."""

PRETENDED: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
}  # fmt: skip
"""Succeed and do nothing. Landlock does not see them, so they would reach any file of the same user; and copying a
file must not fail because of its time stamp."""

SIGNALLING: dict[str, tuple[int | None, int | None]] = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434),
}  # fmt: skip
"""Calls whose first argument is the process that gets a signal."""

SOCKET = (41, 198)
SOCKETPAIR = (53, 199)
SENDTO = (44, 206)
SENDMSG = (46, 211)
SENDMMSG = (307, 269)
CLONE = (56, 220)
PRCTL = (157, 167)
PRLIMIT64 = (302, 261)
