"""Ends code of eggs that doesn't come back.

An egg's code runs where the host does: in the loop's thread, or for very many
rows in one of the worker threads. One that loops would stop everything. So it
gets a limit of processor time, not of time: a machine that is busy with other
things is nobody's mistake.

In the main thread a timer of the kernel interrupts it, which ends even a regular
expression that would take for ever. That timer runs with the processor time of
the whole process; whether it was the main thread that used it is asked when it
rings. In another thread only Python's own code
can be interrupted, from outside, by an exception that is thrown into it. What
is in a C library without looking up can't be ended in either.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

_SHORTEST_WAIT_S = 0.05

LIMIT_S = 0.25
"""Processor time in the main thread: twenty-five times what the host allows itself at a time."""

THREAD_LIMIT_S = 10.0
"""Processor time in a worker thread, where very many rows are worked on, and nobody waits but one device."""


class TookTooLong(Exception):
    """Code of an egg was ended, because it didn't come back."""


class _TimeIsUp(BaseException):
    """Not an Exception: an egg that goes on whatever is raised shouldn't catch it by accident."""


class _Timer:
    """The main thread's timer. One for the process, as the signal is."""

    def __init__(self) -> None:
        self.installed = False
        self.running = False
        self._until_s = 0.0

    def install(self) -> None:
        """Take the signal. Only the main thread may, and once is enough."""
        signal.signal(signal.SIGPROF, self._rings)
        self.installed = True

    def start(self, limit_s: float) -> None:
        """Ring when this thread has used up so much processor time."""
        self._until_s = time.thread_time() + limit_s
        self.running = True
        # Again and again: what is raised within a destructor is lost, and other threads may have used the time.
        signal.setitimer(signal.ITIMER_PROF, limit_s, limit_s)

    def stop(self) -> None:
        """Ring no more."""
        self.running = False
        signal.setitimer(signal.ITIMER_PROF, 0.0)

    def _rings(self, _signum: int, frame: FrameType | None) -> None:
        # Not where the host itself is at work: before the egg's code, or after it.
        at_work = self.running and frame is not None and frame.f_code not in _HOST
        if at_work and time.thread_time() >= self._until_s:
            raise _TimeIsUp


_timer = _Timer()


def guarded(work: Callable[[], T], limit_s: float = LIMIT_S, thread_limit_s: float = THREAD_LIMIT_S) -> T:
    """Return what an egg's code returns; TookTooLong if it took more processor time than it may."""
    if threading.get_ident() == threading.main_thread().ident:
        return _in_main_thread(work, limit_s)
    return _in_thread(work, thread_limit_s)


def _in_main_thread(work: Callable[[], T], limit_s: float) -> T:
    if not _timer.installed:
        _timer.install()
    try:
        _timer.start(limit_s)
        return work()
    except _TimeIsUp as up:
        raise _too_long(limit_s, up) from None
    finally:
        _timer.stop()


_HOST = frozenset((_in_main_thread.__code__, _Timer.start.__code__, _Timer.stop.__code__))


def _in_thread(work: Callable[[], T], limit_s: float) -> T:
    alarm = _Alarm(limit_s)
    alarm.start()
    try:
        try:
            return work()
        finally:
            # What the alarm threw while this waited is raised within these lines.
            alarm.stop()
    except _TimeIsUp as up:
        alarm.stop()
        raise _too_long(limit_s, up) from None


class _Alarm(threading.Thread):
    """Throws an exception into the thread that made it, once, when that has used up its processor time."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(name="egg watchdog", daemon=True)
        self._target = threading.get_ident()
        self._clock = time.pthread_getcpuclockid(self._target)
        self._until_s = time.clock_gettime(self._clock) + limit_s
        self._over = threading.Event()
        self._turn = threading.Lock()

    def run(self) -> None:
        # It may have slept, or had no processor: then it has time left.
        while not self._over.wait(max(self._left_s(), _SHORTEST_WAIT_S)):
            if self._left_s() <= 0.0:
                self._throw()
                return

    def stop(self) -> None:
        """End; nothing is thrown after this returned."""
        with self._turn:
            self._over.set()

    def _left_s(self) -> float:
        return self._until_s - time.clock_gettime(self._clock)

    def _throw(self) -> None:
        with self._turn:
            if not self._over.is_set():
                _throw_into(self._target, _TimeIsUp)


def _throw_into(thread: int, exception: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception))


def _too_long(limit_s: float, up: _TimeIsUp) -> TookTooLong:
    error = TookTooLong(f"it didn't come back within {limit_s:g} s of processor time")
    # Where it was at work when it was ended is what its author wants to know.
    return error.with_traceback(up.__traceback__)
