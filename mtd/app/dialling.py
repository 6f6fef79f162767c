"""How an edge calls its hub: through whichever client is current, with errors in mtd's own words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

from mtd.client import MtdClientError
from mtd.client.linking import attach, known_rows
from mtd.core.errors import Forbidden, MtdError, Retryable, Superseded, Unauthenticated

if TYPE_CHECKING:
    from mtd.client import AsyncMtdClient
    from mtd.forwarding.interfaces import HubDoors
    from mtd.pb.collector.v1 import collector_link_service_pb2 as pb

T = TypeVar("T")


class HubDial:
    """See `Dial`. Another hub is called when one fails, by the same list as of what copies the log."""

    def __init__(self, doors: HubDoors) -> None:
        self._doors = doors
        self._client: AsyncMtdClient | None = None

    def attach(self, requests: AsyncIterator[pb.AttachRequest]) -> AsyncGenerator[pb.AttachResponse, None]:
        """Open the link with the current hub."""
        self._client = client = self._doors.current
        return _in_our_words(attach(client, requests))

    def known_rows(
        self, request: pb.StreamKnownRowsRequest
    ) -> AsyncGenerator[pb.StreamKnownRowsResponse, None]:
        """Read rows from the hub that the link is with."""
        client = self._client
        if client is None or client.closed:
            client = self._doors.current
        return _in_our_words(known_rows(client, request))

    def failed(self, error: MtdError) -> None:
        """Call another hub, unless this one has answered: what it said holds for all of them."""
        if self._client is not None and not isinstance(error, Superseded | Unauthenticated | Forbidden):
            self._doors.failed(self._client)


async def _in_our_words(responses: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    async with aclosing(responses):
        try:
            async for response in responses:
                yield response
        except MtdClientError as error:
            raise error_in_our_words(error) from None


def error_in_our_words(error: MtdClientError) -> MtdError:
    """Return the error of mtd for what a hub answered."""
    kinds: dict[str, type[MtdError]] = {"UNAUTHENTICATED": Unauthenticated, "PERMISSION_DENIED": Forbidden}
    kind = Superseded if error.reason == "SUPERSEDED" else kinds.get(error.code, Retryable)
    found = kind(error.message)
    found.hint = error.hint
    return found
