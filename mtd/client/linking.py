"""The edge's end of ``CollectorLinkService``: streams, raw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

from mtd.client.errors import closed_error, error_of
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb

if TYPE_CHECKING:
    from mtd.client.aio import AsyncMtdClient

LINK = "collector_link"


def attach(
    client: AsyncMtdClient, requests: AsyncIterator[pb.AttachRequest]
) -> AsyncGenerator[pb.AttachResponse, None]:
    """Yield what the hub says, until it ends the stream. Close it to end it. Raises MtdClientError."""
    return _responses(client, "Attach", requests)


def known_rows(
    client: AsyncMtdClient, request: pb.StreamKnownRowsRequest
) -> AsyncGenerator[pb.StreamKnownRowsResponse, None]:
    """Yield rows of devices. Raises MtdClientError."""
    return _responses(client, "StreamKnownRows", request)


async def _responses(client: AsyncMtdClient, method: str, asked: Any) -> AsyncGenerator[Any, None]:
    import grpc

    call = client.begin(LINK, method, asked)
    try:
        async for response in call:
            yield response
    except grpc.RpcError as failed:
        raise error_of(failed, client.target) from None
    except asyncio.CancelledError:
        # Closing the client cancels its calls; so does the task that reads.
        if client.closed:
            raise closed_error() from None
        raise
    finally:
        call.cancel()
