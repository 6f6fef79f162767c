"""What is being served for a collector ends when it may no longer work for whom it began with."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mtd.api.access.interfaces import Certificate, Credentials
from mtd.core.errors import Unauthenticated
from mtd.pb.admin.v1 import collector_service_pb2 as pb
from tests.integration.certificates.kit import Hub, with_hub


def test_a_tenant_that_is_served_no_more_gets_nothing_from_a_stream_that_goes_on(
    tmp_path: Path, postgres_dsn: str
) -> None:
    async def body(hub: Hub) -> None:
        second = await hub.tenant("second")
        shown, _ = await hub.collector("edge-1")
        await hub.admin.SetServedTenants(pb.SetServedTenantsRequest(collector="edge-1", tenants=[second]))
        collectors = hub.certificates.collectors
        assert collectors is not None
        assert shown.chain is not None
        caller = await collectors.verify(
            Credentials("ipv4:192.0.2.1:1", certificate=Certificate(shown.chain))
        )
        assert caller is not None
        began, ended = asyncio.Event(), asyncio.Event()

        async def stream() -> None:
            async with hub.certificates.running.serving(caller):
                began.set()
                await ended.wait()

        streaming = asyncio.ensure_future(stream())
        await began.wait()
        await collectors.refresh()
        assert not streaming.done()  # nothing has changed
        await hub.admin.SetServedTenants(pb.SetServedTenantsRequest(collector="edge-1"))
        with pytest.raises(Unauthenticated):
            async with asyncio.timeout(20):
                await streaming
        # It comes again, for those that it has now.
        await hub.renew(shown)

    with_hub(tmp_path, postgres_dsn, body)
