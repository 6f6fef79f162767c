"""What systemd does for a daemon in production: starts it again when it died."""

from __future__ import annotations

import threading
import time

from mtd.testing.harness import Process

# etc/systemd/mtd.service waits two seconds; here less, since it is all waiting.
RESTART_S = 0.5
_LOOK_S = 0.02


class Supervisor:
    """Watches one process in a thread, and starts it again ``RESTART_S`` after its end, whatever ended it."""

    def __init__(self, process: Process, restart_s: float = RESTART_S) -> None:
        self._process = process
        self._restart_s = restart_s
        self._ending = threading.Event()
        self._held = threading.Event()
        self._turn = threading.RLock()
        self._thread = threading.Thread(target=self._watch, name=f"supervisor of {process.name}", daemon=True)
        self.restarts = 0
        self.codes: list[int] = []
        """How each process before this one ended: an exit code, or minus the signal."""

    def start(self) -> None:
        """Begin to watch. The process has to run."""
        self._thread.start()

    def stop(self) -> None:
        """Cease to watch; the process goes on."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def hold(self) -> None:
        """Leave a process that ends where it is, until ``release``: somebody repairs something."""
        with self._turn:
            self._held.set()

    def release(self) -> None:
        """Start what ended meanwhile, and go on watching."""
        self._held.clear()

    def _watch(self) -> None:
        while not self._ending.wait(_LOOK_S):
            popen = self._process.popen
            if popen is None or self._held.is_set() or popen.poll() is None:
                continue
            self.codes.append(popen.returncode)
            if self._ending.wait(self._restart_s):
                return
            with self._turn:
                if not self._held.is_set() and not self._ending.is_set():
                    self._process.start()
                    self.restarts += 1


def wait_until_gone(process: Process, timeout_s: float = 15.0) -> None:
    """Wait until a process that was told to end is gone; raises TimeoutExpired."""
    if process.popen is not None:
        process.popen.wait(timeout_s)
        time.sleep(0)  # noqa: TID251 - lets the supervisor's thread see it
