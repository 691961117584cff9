"""Tries everything in reach; prints as JSON how much that was and what worked. Argument: JSON, places of the host."""

import contextlib
import ctypes
import errno
import json
import os
import platform
import resource
import socket
import sys
from pathlib import Path

HOST = json.loads(sys.argv[1])
LIBC = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
SECRET = Path(HOST["secret"])
DAC_READ_SEARCH = 1 << 2


def etc_passwd():
    return "root" in Path("/etc/passwd").read_text()


def ssh_key():
    return bool(SECRET.read_text())


def held_out_labels():
    return bool(Path(HOST["private"], "y.csv").read_text())


def folder_of_secrets():
    return list(SECRET.parent.iterdir())


def own_environment():
    return HOST["canary"] in json.dumps(dict(os.environ)) + Path("/proc/self/environ").read_text()


def environment_of_others():
    found = ""
    for process in range(1, HOST["pid"] + 5000):
        with contextlib.suppress(OSError):
            found += Path(f"/proc/{process}/environ").read_text(errors="replace")
    return HOST["canary"] in found


def command_line_of_host():
    return "python" in Path(f"/proc/{HOST['pid']}/cmdline").read_text()


def list_of_processes():
    return Path("/proc", str(HOST["pid"])) in Path("/proc").iterdir()


def memory_of_host():
    return Path(f"/proc/{HOST['pid']}/mem").open("rb").close() is None


def tcp():
    return socket.create_connection(("127.0.0.1", HOST["port"]), 2).close() is None


def tcp_by_sending():
    with socket.socket() as end:
        return end.sendto(b"x", 0x20000000, ("127.0.0.1", HOST["port"]))  # MSG_FASTOPEN


def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        return end.sendto(b"x", ("127.0.0.1", 53))


def metadata_address():
    with socket.socket() as end:
        end.setblocking(False)
        return end.connect_ex(("169.254.169.254", 80)) not in (errno.EPERM, errno.EACCES, errno.ENETUNREACH)


def unix_socket():
    with socket.socket(socket.AF_UNIX) as end:
        return end.connect(HOST["unix"]) is None


def unix_datagram_by_pair():
    end, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return end.connect(HOST["unix"]) is None


def netlink():
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close() is None


def write_library():
    return Path(HOST["library"], "planted.py").write_text("x")


def write_start_up_file():
    return Path(SECRET.parent, "sitecustomize.py").write_text("x")


def write_temporary_folder():
    return Path("/tmp", f"planted-{os.getpid()}").write_text("x")


def overwrite_grade():
    return Path(HOST["private"], "grade.json").write_text("{}")


def overwrite_checkpoint():
    return Path(HOST["private"], "checkpoints.sqlite").write_text("x")


def overwrite_predictions_of_others():
    return Path(HOST["private"], "predictions.npy").write_text("x")


def overwrite_input():
    return Path(HOST["input"]).write_text("x")


def remove_input():
    return Path(HOST["input"]).unlink() is None


def truncate_outside():
    return os.truncate(SECRET, 0) is None


def link_outside():
    return os.link(SECRET, "linked") is None and Path("linked").read_text()


def symlink_outside():
    Path("link").symlink_to(SECRET)
    return Path("link").read_text()


def shared_memory():
    place = Path("/dev/shm", f"planted-{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        return place.write_text("x") and place.unlink() is None


def inherited_descriptor():
    return [number for number in range(3, 200) if not _fails(os.fstat, number)]


def become_root():
    return os.setuid(0) is None and os.geteuid() == 0 and os.access("/etc/shadow", os.W_OK)


def capabilities():
    lines = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return any(int(lines[name], 16) & ~DAC_READ_SEARCH for name in ("CapInh", "CapPrm", "CapEff"))


def new_privileges():
    return LIBC.prctl(39, 0, 0, 0, 0) != 1  # PR_GET_NO_NEW_PRIVS


def hide_memory():
    return LIBC.prctl(4, 0, 0, 0, 0) == 0  # PR_SET_DUMPABLE


def user_namespace():
    return LIBC.unshare(0x10000000) == 0  # CLONE_NEWUSER


def trace():
    return LIBC.ptrace(0, 0, 0, 0) == 0  # PTRACE_TRACEME


def mount():
    return LIBC.mount(b"none", b".", b"tmpfs", 0, None) == 0


def io_uring():
    return _known(425)


def key_ring():
    return _known(219 if ARM else 250)


def bpf():
    return _known(280 if ARM else 321)


def file_by_handle():
    return _known(265 if ARM else 304)


def unseen_memory():
    return _known(279 if ARM else 319)  # memfd_create


def shared_memory_of_system_v():
    return _known(194 if ARM else 29)


def x32_interface():
    return _known(0x40000000 + 39)  # getpid


def signal_host():
    return os.kill(HOST["pid"], 0) is None


def signal_all():
    return not ARM and LIBC.kill(-1, 0) == 0


def limits_of_host():
    return bool(resource.prlimit(HOST["pid"], resource.RLIMIT_NOFILE))


def file_exists():
    return SECRET.exists()


def change_mode():
    """Pretends to work; the host looks at the file."""
    SECRET.chmod(0o777)
    os.utime(SECRET, (1, 1))


def _known(number):
    """Whether a system call gets as far as complaining about its arguments."""
    return LIBC.syscall(number, 0, 0, 0, 0) >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS)


def _fails(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        return True
    return False


def main():
    found = [value for value in list(globals().values()) if callable(value) and value.__module__ == __name__]
    attempts = [attempt for attempt in found if not attempt.__name__.startswith("_") and attempt is not main]
    worked = []
    for attempt in attempts:
        with contextlib.suppress(OSError):
            if attempt():
                worked.append(attempt.__name__)
    print(json.dumps({"tried": len(attempts), "worked": worked}))


if __name__ == "__main__":
    main()
