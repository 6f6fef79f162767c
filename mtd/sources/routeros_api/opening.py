"""Opening a session, step by step, each step timed and told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mtd.codec.routeros import PatternCache
from mtd.model.device import TlsMode
from mtd.sources.routeros_api.login import log_in
from mtd.sources.routeros_api.session import ApiSession
from mtd.sources.tcp.connect import connect_tcp, resolve, secure
from mtd.sources.tcp.tls import TlsClient, context_for

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device
    from mtd.sources.routeros_api.config import RouterOsApiConfig
    from mtd.sources.steps import Steps


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
