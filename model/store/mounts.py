"""Which file system a path is on, as far as the operating system says."""

import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")  # of Linux; elsewhere nothing is known
# Disks of other machines, on which SQLite's write-ahead log cannot work: https://sqlite.org/wal.html. Those by which
# Docker Desktop and the like show their own machine's disk (virtiofs, 9p, fuse.grpcfuse) are not among them.
_NETWORK = {
    *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "ceph", "glusterfs"),
    *(f"fuse.{name}" for name in ("sshfs", "rclone", "ceph", "glusterfs", "s3fs", "gcsfuse", "blobfuse", "blobfuse2")),
}


def network_file_system(path: Path) -> str:
    """Return the type of a network file system, such as ``"nfs4"``; empty if the path is on none, or nobody knows."""
    try:
        device = (path if path.exists() else path.parent).stat().st_dev
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
    device_number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        mount_fields, _, file_system_fields = line.partition(" - ")  # see proc_pid_mountinfo(5)
        if device_number in mount_fields.split()[2:3]:
            kind = file_system_fields.split()[0]
            return kind if kind in _NETWORK else ""
    return ""
