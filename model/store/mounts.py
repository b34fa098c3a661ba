"""Which file system a path is on, as far as the system says."""

import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")  # of Linux; elsewhere nothing is known
# Those of other machines' disks, on which SQLite's write-ahead log cannot work: https://sqlite.org/wal.html. What
# Docker Desktop and the like show of their own machine's disk (virtiofs, 9p, fuse.grpcfuse) is none of them.
_NETWORK = {
    *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "ceph", "glusterfs"),
    *(f"fuse.{name}" for name in ("sshfs", "rclone", "ceph", "glusterfs", "s3fs", "gcsfuse", "blobfuse", "blobfuse2")),
}


def network_file_system(path: Path) -> str:
    """Return the type of a network file system, such as ``"nfs4"``; empty where a path is on none, or nobody knows."""
    try:
        device = (path if path.exists() else path.parent).stat().st_dev
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        of_mount, _, of_file_system = line.partition(" - ")  # see proc_pid_mountinfo(5)
        if number in of_mount.split()[2:3]:
            kind = of_file_system.split()[0]
            return kind if kind in _NETWORK else ""
    return ""
