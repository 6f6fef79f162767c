"""One of the ways to a device, with its past: what came of it lately, and when it is tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mtd.core.backoff import Backoff
from mtd.core.breaker import Breaker
from mtd.model.device import Device, Outcome, SnmpSettings, TlsMode, Way
from mtd.sources import way_metrics as metrics
from mtd.sources.errors import SessionFailed

if TYPE_CHECKING:
    import random

    from mtd.core.clock import Clock
    from mtd.sources.interfaces import ISource
    from mtd.sources.retries import Retries

logger = logging.getLogger(__name__)

NO_TRAFFIC = (0, 0, 0)
# So often in a row a session may end soon after it was opened, before the way is taken to be closed.
_SHORT_LIVED = 2


class Path:
    """One way: its source, and what is remembered of it.

    A failure stays until the way is open again; its words are those of the first
    of its kind, so that a way which stays closed is not told of again and again.
    ``changed`` is called when it opened, didn't open, or broke.
    """

    def __init__(
        self, source: ISource, retries: Retries, rng: random.Random, changed: Callable[[], None]
    ) -> None:
        self.way: Way = source.way
        self.source = source
        self.failure: SessionFailed | None = None
        self.live = False  # its traffic isn't settled yet
        self.idle = asyncio.Event()
        self.idle.set()
        self.retry_at = 0.0
        self._retries = retries
        self._rng = rng
        self._changed = changed
        self._backoff = Backoff(retries.first_s, retries.cap_s, rng=rng)
        self._breaker = Breaker(retries.breaker_failures, retries.breaker_open_s)
        self._users = 0
        self._opened_at = 0.0
        self._short_lived = 0

    @property
    def doubtful(self) -> bool:
        """Whether it opens, and then breaks: others are tried before."""
        return self._short_lived >= _SHORT_LIVED

    async def connect(self, clock: Clock) -> None:
        """Open it. Raises SessionFailed.

        Its failure is forgotten then, but not how often it failed: it may break soon.
        """
        try:
            await self.source.connect()
        except SessionFailed as failure:
            self._failed(failure, clock.monotonic())
            raise
        except Exception as error:
            # A mistake of mtd in one way: loud, counted, and the others are tried all the same.
            metrics.INTERNAL_ERRORS.labels(way=self.way).inc()
            logger.exception("opening %s to %s failed by an error of mtd", self.way, self.source.device.name)
            failed = SessionFailed(
                Outcome.COMMAND_FAILED, f"internal error of mtd ({type(error).__name__}): see its log"
            )
            self._failed(failed, clock.monotonic())
            raise failed from error
        self.live = True
        self.failure = None
        self._opened_at = clock.monotonic()
        self._changed()

    def begin_run(self) -> None:
        """A run is under way."""
        self._users += 1
        self.idle.clear()

    def end_run(self) -> None:
        """A run has ended."""
        self._users -= 1
        if not self._users:
            self.idle.set()

    @property
    def has_failed_before(self) -> bool:
        """Whether anything is held against it."""
        return self._backoff.failures > 0

    def proved(self, now: float) -> None:
        """It was answered: if it has lasted, its failures of before are over."""
        if now - self._opened_at > self._retries.cap_s:
            self._backoff.reset()
            self._breaker.succeeded()
            self._short_lived = 0

    def broke(self, failure: SessionFailed, now: float) -> None:
        """Its session was lost. One session is lost to all its runs: it counts once."""
        if self.failure is not None or self.source.connected:
            return
        if now - self._opened_at <= self._retries.cap_s:
            self._short_lived += 1
        self._failed(failure, now)

    def _failed(self, failure: SessionFailed, now: float) -> None:
        if self.failure is None or self.failure.outcome is not failure.outcome:
            # Not the one that was raised: it holds on to all that was under way.
            self.failure = SessionFailed(failure.outcome, failure.reason)
        self._changed()
        # Routers that one failed link took down together don't come back together.
        self._breaker.failed(now, self._retries.breaker_open_s * (1.0 + 0.3 * self._rng.random()))
        self.retry_at = now + max(self._backoff.next_delay(), self._breaker.wait_s(now))

    @property
    def place(self) -> str:
        """Where it leads, in words."""
        return place_of(self.source.device, self.way)


def place_of(device: Device, way: Way) -> str:
    """Return where a way to a device leads, and how safely, in words."""
    if way is Way.SNMP:
        return _snmp_place(device.snmp)
    port, mode = device.port, device.tls_mode
    if way is Way.REST:
        port, mode = device.rest.port, device.rest.tls_mode
    return f"port {port}, " + ("clear text" if mode is TlsMode.OFF else f"TLS {mode}")


def _snmp_place(snmp: SnmpSettings | None) -> str:
    return "" if snmp is None else f"port {snmp.port}, version {snmp.version}"


def combined(failures: Mapping[Way, SessionFailed]) -> SessionFailed:
    """Return one failure of several ways, the best first: its outcome, and what became of the others."""
    if not failures:
        return SessionFailed(
            Outcome.UNREACHABLE, "no way can be tried: set a port of REST, or SNMP, or allow the API"
        )
    first, *others = failures.values()
    if not others:
        return first
    reason = "; ".join(f"{way.upper()}: {failure.reason}" for way, failure in failures.items())
    return SessionFailed(first.outcome, reason)
