"""Opening a session, step by step, each step timed and told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mtd.codec.routeros import PatternCache
from mtd.model.device import TlsMode
from mtd.sources.errors import SessionFailed
from mtd.sources.routeros_api.connect import connect_tcp, resolve, secure
from mtd.sources.routeros_api.login import log_in
from mtd.sources.routeros_api.session import ApiSession
from mtd.sources.routeros_api.tls import TlsClient, context_for

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device
    from mtd.sources.routeros_api.config import RouterOsApiConfig


@dataclass(slots=True)
class TestStep:
    """One step of opening a session: "resolve", "connect", "tls", "login" or "read"."""

    __test__ = False  # not a test case, whatever pytest thinks of its name

    name: str
    ok: bool = False
    duration_us: int = 0
    detail: str = ""


@dataclass(slots=True)
class Steps:
    """The steps taken, the last of which may have failed; and what was seen on the way."""

    clock: Clock
    taken: list[TestStep] = field(default_factory=list)
    tls_fingerprint: str = ""

    @contextmanager
    def step(self, name: str) -> Iterator[TestStep]:
        """Time a step; its detail is the reason if it raises `SessionFailed`."""
        step = TestStep(name)
        self.taken.append(step)
        started = self.clock.monotonic()
        try:
            yield step
            step.ok = True
        except SessionFailed as failure:
            step.detail = failure.reason
            raise
        finally:
            step.duration_us = round((self.clock.monotonic() - started) * 1e6)


@dataclass(frozen=True, slots=True)
class Tools:
    """What opening a session takes besides the device."""

    clock: Clock
    settings: RouterOsApiConfig
    patterns: PatternCache
    reactor: Any


@lru_cache(maxsize=1)
def shared_patterns() -> PatternCache:
    """Return the patterns that all sessions of the process share."""
    return PatternCache()


async def open_session(device: Device, tools: Tools, steps: Steps) -> ApiSession:
    """Resolve, connect, secure, log in. Raises `SessionFailed`, with nothing left open."""
    budget = device.connect_timeout_s
    with steps.step("resolve") as step:
        addresses = await resolve(device.host, tools.reactor, budget)
        step.detail = ", ".join(addresses)
    budget = max(0.5, budget - step.duration_us / 1e6)  # resolving and connecting share the time-out
    with steps.step("connect") as step:
        protocol, address = await connect_tcp(addresses, device.port, tools.reactor, budget)
        step.detail = f"{address} port {device.port}"
    if device.tls_mode is not TlsMode.OFF:
        with steps.step("tls") as step:
            try:
                context = await context_for(device.tls_mode, tools.settings.tls_ca_file)
                client = TlsClient(device.tls_mode, device.host, context, device.tls_fingerprint)
            except BaseException:
                protocol.abort()
                raise
            try:
                await secure(protocol, client, device.connect_timeout_s)
            finally:
                steps.tls_fingerprint = client.seen_fingerprint
            step.detail = client.describe()
    session = ApiSession(device, protocol, tools.clock, tools.settings, tools.patterns)
    try:
        with steps.step("login") as step:
            step.detail = await log_in(session, device)
    except BaseException:
        await session.close()
        raise
    return session
