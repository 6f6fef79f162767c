"""CollectorLinkService: what edges are told to poll."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mtd.api.access.current import principal
from mtd.api.errors import StreamsClosed
from mtd.api.grpc.server import ServicePart
from mtd.api.grpc.types import Context
from mtd.api.link.session import LinkSession
from mtd.core.errors import Forbidden, QuotaExceeded, Refused, Retryable
from mtd.model.principal import CallerKind, Principal
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from mtd.pb.collector.v1.collector_link_service_pb2_grpc import (
    CollectorLinkServiceServicer,
    add_CollectorLinkServiceServicer_to_server,
)

if TYPE_CHECKING:
    from mtd.api.link.parts import LinkParts, Rows

_MOST_NAMED = 200
_ROWS_AT_ONCE = 200
_MOST_CALLS = 2


def link_part(parts: LinkParts) -> ServicePart:
    """Return the service of links."""

    def drain() -> None:
        for link in parts.desk.links():
            link.end(StreamsClosed("the daemon stops serving"))

    return ServicePart(add_CollectorLinkServiceServicer_to_server, LinkServicer(parts), drain)


class LinkServicer(CollectorLinkServiceServicer):
    """Lets in collectors that show their certificate, and gives each its own devices only."""

    def __init__(self, parts: LinkParts) -> None:
        self._parts = parts
        self._reading = asyncio.Semaphore(parts.config.max_row_reads)
        self._calls: Counter[str] = Counter()

    async def Attach(
        self, request: AsyncIterator[pb.AttachRequest], context: Context
    ) -> AsyncGenerator[pb.AttachResponse, None]:
        """Link a collector."""
        caller = _collector(context)
        tenants = frozenset((caller.tenant_id, *await self._parts.served(caller.caller_id)))
        responses = LinkSession(caller, tenants, self._parts).responses(request)
        try:
            async for response in responses:
                yield response
        finally:
            await responses.aclose()

    async def StreamKnownRows(
        self, request: pb.StreamKnownRowsRequest, context: Context
    ) -> AsyncGenerator[pb.StreamKnownRowsResponse, None]:
        """Read rows of devices that the collector polls."""
        caller = _collector(context)
        if max(len(request.device_ids), len(request.tables)) > _MOST_NAMED:
            raise Refused(f"device_ids, tables: at most {_MOST_NAMED} of each in one call")
        link = self._parts.desk.of(caller.caller_id)
        if link is None:
            raise Retryable(f"the collector {caller.name!r} isn't linked with this hub: attach first")
        own = [device_id for device_id in request.device_ids if device_id in link.told]
        if not own:
            return
        with self._one_of(caller):
            # Some at a time: of many subscribers there are many rows, and edges come together after a restart.
            async with self._reading:
                rows = await self._parts.rows(own, request.tables)
            for response in _in_parts(rows):
                yield response
                await asyncio.sleep(0)

    @contextmanager
    def _one_of(self, caller: Principal) -> Iterator[None]:
        """Count the calls of a collector: one that reads slowly holds what it doesn't read. Raises QuotaExceeded."""
        if self._calls[caller.caller_id] >= _MOST_CALLS:
            raise QuotaExceeded(f"{_MOST_CALLS} calls of this collector are read already", retry_after_s=1.0)
        self._calls[caller.caller_id] += 1
        try:
            yield
        finally:
            self._calls[caller.caller_id] -= 1
            if not self._calls[caller.caller_id]:
                del self._calls[caller.caller_id]


def _collector(context: Context) -> Principal:
    """Return the collector that calls. Raises Forbidden where what it is told could be read on the way."""
    caller = principal()
    secure = b"ssl" in context.auth_context().get("transport_security_type", ())
    if caller.kind is not CallerKind.COLLECTOR or not secure:
        raise Forbidden("links are for collectors, over TLS, with their own certificate")
    return caller


def _in_parts(rows: Rows) -> Iterator[pb.StreamKnownRowsResponse]:
    response = pb.StreamKnownRowsResponse()
    for device_id, tables in rows.items():
        for table, by_key in tables.items():
            for key, fields in by_key.items():
                response.rows.add(device_id=device_id, table_name=table, row_key=key, fields=fields)
                if len(response.rows) == _ROWS_AT_ONCE:
                    yield response
                    response = pb.StreamKnownRowsResponse()
    if response.rows:
        yield response
