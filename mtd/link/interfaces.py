"""What the edge's end of the link needs from others."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mtd.core.errors import MtdError
    from mtd.model.assignment import AssignedDevice
    from mtd.pb.collector.v1 import collector_link_service_pb2 as pb


class Dial(Protocol):
    """Calls a hub: the one that answers, or the next one.

    What it yields raises Unauthenticated and Forbidden where the hub doesn't let this collector in, Superseded
    where another process took its place, and other errors of mtd where it may be called again.
    """

    def attach(self, requests: AsyncIterator[pb.AttachRequest]) -> AsyncGenerator[pb.AttachResponse, None]:
        """Open the link. Close what it yields to end it."""

    def known_rows(
        self, request: pb.StreamKnownRowsRequest
    ) -> AsyncGenerator[pb.StreamKnownRowsResponse, None]:
        """Read rows from the hub that the link is with."""

    def failed(self, error: MtdError) -> None:
        """The link ended, or could not be opened: call the next hub, if there is one."""


class Handler(Protocol):
    """Carries out what the hub commands."""

    @property
    def capabilities(self) -> list[str]:
        """Return what it can do, as words."""

    def run(
        self, command: pb.Command, assigned: AssignedDevice | None
    ) -> AsyncGenerator[pb.CommandUpdate, None]:
        """Yield what comes of a command, the end last; the id of the command is filled in by others.

        ``assigned``: the device, if it is polled here. Close it to end it; errors of mtd become failures.
        """
