"""Small disks of their own for what a fault fills, spoils or takes away. Only root may mount them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mtd.testing.faults.programs import find_program

_CHUNK = 1024 * 1024


def may_mount() -> bool:
    """Return whether disks can be mounted here: as root, outside of a container without rights."""
    return os.geteuid() == 0 and Path("/dev/loop-control").exists() and find_program("mkfs.ext4") is not None


class Disk:
    """A file system of a few megabytes, in a file. Use it as a context manager."""

    def __init__(self, mount_point: Path, size_mb: int) -> None:
        self.path = mount_point
        self._image = mount_point.with_name(mount_point.name + ".image")
        self._size_mb = size_mb
        self._ballast = mount_point / "ballast"

    def __enter__(self) -> Disk:
        self.path.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as image:
            image.truncate(self._size_mb * 1024 * 1024)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "root_owner=0:0", str(self._image))
        self.mount()
        self.path.chmod(0o711)
        return self

    def __exit__(self, *_: object) -> None:
        self.unmount()

    def mount(self) -> None:
        """Mount it."""
        _run("mount", "-o", "loop", str(self._image), str(self.path))

    def unmount(self) -> None:
        """Take it away, even if somebody is on it."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("umount", "-l", str(self.path))

    def fill(self) -> None:
        """Leave no room."""
        with self._ballast.open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            size = _CHUNK
            while size:
                try:
                    while True:
                        ballast.write(b"\1" * size)
                except OSError:
                    size //= 2
            os.fsync(ballast.fileno())

    def empty(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

    def fail(self) -> None:
        """Let it go read-only at once, as ext4 does when its device fails: also for who is writing."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("mount", "-o", "remount,abort", str(self.path))
        if not self.is_read_only():
            # Some kernels notice at the next write.
            with contextlib.suppress(OSError):
                (self.path / "probe").write_bytes(b"x")

    def is_read_only(self) -> bool:
        """Return whether nothing can be written."""
        probe = self.path / "probe"
        try:
            probe.write_bytes(b"x")
            probe.unlink()
        except OSError:
            return True
        return False

    def repair(self) -> None:
        """Check it and mount it anew: after this nobody who had it open may use it any more."""
        _run("umount", str(self.path))
        subprocess.run(["fsck.ext4", "-y", str(self._image)], capture_output=True, check=False)  # noqa: S603, S607
        self.mount()


@contextlib.contextmanager
def small_disk(mount_point: Path, size_mb: int) -> Iterator[Disk]:
    """Mount a small disk, and take it away at the end."""
    with Disk(mount_point, size_mb) as disk:
        yield disk


def _run(*command: str) -> None:
    subprocess.run(list(command), check=True, capture_output=True, timeout=30)  # noqa: S603 - our own commands
