"""Networks of their own for edges: a namespace each, with one line to the rest of this machine. Needs root, and Linux."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Self


def can_make_namespaces() -> bool:
    """Return whether namespaces can be made here: tried, for some containers don't let root do it."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"mtd-try-{os.getpid()}"
    made = _ip("netns", "add", name, check=False) == 0
    if made:
        _ip("netns", "del", name, check=False)
    return made


class Namespace:
    """A network that only the machine's own one reaches, which is ``hub`` from inside; ``prefix`` runs commands in it.

    ``number``: up to 250, another one for each that exists at a time.
    """

    def __init__(self, name: str, number: int) -> None:
        self.name = f"mtd-{name}-{os.getpid() % 100_000}"
        self._outside = f"mtdo{number}-{os.getpid() % 100_000}"
        self._inside = f"mtdi{number}-{os.getpid() % 100_000}"
        self.hub = f"10.213.{number}.1"
        self._address = f"10.213.{number}.2"

    @property
    def prefix(self) -> list[str]:
        """Words before a command that is to run there."""
        return ["ip", "netns", "exec", self.name]

    def __enter__(self) -> Self:
        _ip("netns", "add", self.name)
        try:
            _ip(
                "link", "add", self._outside, "type", "veth", "peer", "name", self._inside, "netns", self.name
            )
            _ip("addr", "add", f"{self.hub}/30", "dev", self._outside)
            _ip("link", "set", self._outside, "up")
            for words in (
                ("addr", "add", f"{self._address}/30", "dev", self._inside),
                ("link", "set", self._inside, "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-n", self.name, *words)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _ip("netns", "del", self.name, check=False)
        _ip("link", "del", self._outside, check=False)

    def cut(self) -> None:
        """Pull the cable: nothing passes, and nobody is told."""
        _ip("link", "set", self._outside, "down")

    def mend(self) -> None:
        """Put it back."""
        _ip("link", "set", self._outside, "up")


def _ip(*words: str, check: bool = True) -> int:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=20)  # noqa: S603, S607
    if check and done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.returncode
