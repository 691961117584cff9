"""Files of the operating system that a program needs. Imported before a lock-down, so it imports nothing itself."""

from __future__ import annotations

MOUNTED_SYSTEM = (
    "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/share",
    "/usr/local/bin", "/usr/local/lib", "/usr/local/share",
    "/lib", "/lib32", "/lib64", "/bin", "/sbin",
    "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives", "/etc/ssl/openssl.cnf",
    "/sys/devices/system/cpu", "/sys/devices/system/node",
    "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
)  # fmt: skip
"""Programs, libraries, the clock's zone and the number of cores. Not all of /usr: people work below /usr/src."""
READABLE_SYSTEM = (
    *MOUNTED_SYSTEM,
    "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/version",
    "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/osrelease",
    "/proc/self",
)  # fmt: skip
"""Of /proc nothing of other processes: command lines tell much."""
WRITABLE_SYSTEM = ("/dev/null",)
"""Not /dev/shm: it is shared with all processes of the machine, and outlives them."""
