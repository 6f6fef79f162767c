"""Devices and small helpers for tests of sources."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from twisted.internet.address import IPv4Address

from mtd.model.device import DEFAULT_TENANT_ID, Device, Outcome
from mtd.sources.errors import SessionFailed
from mtd.sources.routeros_api import RouterOsApiConfig, RouterOsApiSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mtd.lab.service import Endpoint

QUICK = RouterOsApiConfig(cancel_grace_s=0.2, close_timeout_s=0.2, cancel_drain_bytes=256 * 1024)


def device(port: int, **settings: Any) -> Device:
    """Return a device on loopback with short time-outs."""
    defaults: dict[str, Any] = {
        "device_id": "00000000-0000-4000-8000-00000000000d",
        "tenant_id": DEFAULT_TENANT_ID,
        "name": "gw",
        "host": "127.0.0.1",
        "port": port,
        "username": "admin",
        "password": "secret",
        "connect_timeout_s": 2.0,
        "command_timeout_s": 0.5,
    }
    return Device(**(defaults | settings))


def lab_device(endpoint: Endpoint, **settings: Any) -> Device:
    """Return the device that reaches a lab router."""
    defaults = {"name": endpoint.name, "username": endpoint.username, "password": endpoint.password}
    return device(endpoint.port, **(defaults | settings))


@asynccontextmanager
async def connected(
    to: Device, config: RouterOsApiConfig = QUICK, **parts: Any
) -> AsyncIterator[RouterOsApiSource]:
    """Connect a source for the time of a block."""
    source = RouterOsApiSource(to, config=config, **parts)
    await source.connect()
    try:
        yield source
    finally:
        await source.close()


class NamesKnown:
    """The reactor, with a resolver that gives the same addresses for every name."""

    def __init__(self, *addresses: str) -> None:
        self.nameResolver = self
        self._addresses = addresses

    def resolveHostName(self, receiver: Any, host: str) -> None:
        """Give the addresses."""
        for address in self._addresses:
            receiver.addressResolved(IPv4Address("TCP", address, 0))
        receiver.resolutionComplete()

    def __getattr__(self, name: str) -> Any:
        from twisted.internet import reactor

        return getattr(reactor, name)


async def failure_of(awaitable: Any) -> SessionFailed:
    """Return the SessionFailed that an awaitable raises."""
    with pytest.raises(SessionFailed) as caught:
        await awaitable
    failure = caught.value
    assert failure.outcome is not Outcome.OK
    assert len(failure.reason) > 20, "a reason tells what to do"
    return failure
