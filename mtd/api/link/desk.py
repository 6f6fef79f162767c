"""Which edges are linked with this hub, and what is asked of them."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from mtd.api.link.failures import error_of
from mtd.core.errors import QuotaExceeded, Retryable
from mtd.link import metrics
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mtd.model.assignment import AssignedDevice

_MOST_COMMANDS = 64
"""Of one link, under way at a time."""
_GRACE_S = 2.0
"""An edge ends a command itself; what it says of that needs its time."""


class Superseding(Retryable):
    """The same collector has opened another link with this hub."""


class LinkLost(Retryable):
    """The link with the collector ended before it was done."""

    hint = "try again in a moment"


class Link(Protocol):
    """A link, as the desk knows it."""

    @property
    def collector_id(self) -> str:
        """Return the id of the collector."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def capabilities(self) -> frozenset[str]:
        """Return what it can do."""

    @property
    def told(self) -> Mapping[str, AssignedDevice]:
        """Return the devices that it was told to poll."""

    def say(self, response: pb.AttachResponse) -> None:
        """Send something."""

    def end(self, error: Exception) -> None:
        """End the link."""


class Pending:
    """A command under way. What comes of it is bounded by what it may bring."""

    def __init__(self, link: Link, most_rows: int) -> None:
        self.link = link
        self._room = most_rows
        self._updates: deque[pb.CommandUpdate] = deque()
        self._arrived = asyncio.Event()
        self._failure: Exception | None = None

    def take(self, update: pb.CommandUpdate) -> None:
        """Take what the edge says of it."""
        if update.WhichOneof("update") == "rows":
            self._room -= len(update.rows.rows)
            if self._room < 0:  # whoever edits an edge doesn't fill the memory of its hub
                self.fail(LinkLost(f"{self.link.name} sent more rows than it was asked for"))
                return
        self._updates.append(update)
        self._arrived.set()

    def fail(self, error: Exception) -> None:
        """Nothing more comes of it."""
        self._failure = self._failure or error
        self._arrived.set()

    async def next(self) -> pb.CommandUpdate:
        """Return the next update. Raises what ended it."""
        while not self._updates:
            if self._failure is not None:
                raise self._failure
            self._arrived.clear()
            await self._arrived.wait()
        return self._updates.popleft()


class LinkDesk:
    """The links of this hub, by collector; a newer one of the same collector ends the older."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._links: dict[str, Link] = {}
        self._numbers = itertools.count(1)
        self._pending: dict[str, Pending] = {}

    def check_room(self, link: Link) -> None:
        """Raise QuotaExceeded if there is no room for a link."""
        if link.collector_id not in self._links and len(self._links) >= self._most:
            raise QuotaExceeded(
                f"{len(self._links)} collectors are linked with this hub already",
                retry_after_s=10.0,
                hint="let collectors call another hub (hub.targets), or raise link.max_links",
            )

    def add(self, link: Link) -> None:
        """Take a link in."""
        before = self._links.get(link.collector_id)
        if before is not None:
            before.end(Superseding(f"{link.name} has opened another link with this hub"))
        self._links[link.collector_id] = link
        metrics.ATTACHED.inc()
        metrics.LINKS.set(len(self._links))

    def drop(self, link: Link) -> None:
        """Forget a link that ended; its commands fail."""
        if self._links.get(link.collector_id) is link:
            del self._links[link.collector_id]
        metrics.LINKS.set(len(self._links))
        for pending in [one for one in self._pending.values() if one.link is link]:
            pending.fail(LinkLost(f"the link with the collector {link.name!r} ended meanwhile"))

    def of(self, collector_id: str) -> Link | None:
        """Return the link with a collector."""
        return self._links.get(collector_id)

    def polling(self, device_id: str) -> Link | None:
        """Return the link with the collector that polls a device; None if none of those here does."""
        return next((link for link in self._links.values() if device_id in link.told), None)

    def links(self) -> Sequence[Link]:
        """Return all links."""
        return list(self._links.values())

    def heard(self, link: Link, update: pb.CommandUpdate) -> None:
        """Take what came of a command. One that nobody waits for any more is told nothing."""
        pending = self._pending.get(update.command_id)
        if pending is not None and pending.link is link:
            pending.take(update)

    async def ask(
        self, link: Link, command: pb.Command, most_rows: int = 0
    ) -> AsyncGenerator[pb.CommandUpdate, None]:
        """Yield what comes of a command, its end last; closing it ends the command. Raises what the edge failed with."""
        kind = command.WhichOneof("work") or "unknown"
        if sum(one.link is link for one in self._pending.values()) >= _MOST_COMMANDS:
            raise QuotaExceeded(f"the collector {link.name!r} does {_MOST_COMMANDS} things already")
        command.command_id = str(next(self._numbers))
        pending = self._pending[command.command_id] = Pending(link, most_rows)
        result = "cancelled"
        ends = asyncio.get_running_loop().time() + command.timeout_s + _GRACE_S
        try:
            link.say(pb.AttachResponse(command=command))
            while result != "ok":
                # Not around what the caller does with an update: that would be cancelled in its place.
                async with asyncio.timeout_at(ends):
                    update = await pending.next()
                kind_of_update = update.WhichOneof("update")
                if kind_of_update == "failure":
                    result = "failed"
                    raise error_of(update.failure, link.name)
                if kind_of_update != "rows":
                    result = "ok"  # before the caller has it, who may ask for nothing more
                yield update
        except TimeoutError:
            result = "late"
            raise Retryable(
                f"the collector {link.name!r} did not do it within {command.timeout_s:g} s"
            ) from None
        except LinkLost:
            result = "lost"
            raise
        finally:
            del self._pending[command.command_id]
            metrics.COMMANDS.labels(command=kind, result=result).inc()
            if result in {"cancelled", "late"}:
                link.say(pb.AttachResponse(cancel=pb.CancelCommand(command_id=command.command_id)))

    async def answer(self, link: Link, command: pb.Command) -> pb.CommandUpdate:
        """Return the end of a command that brings nothing before it."""
        async with aclosing(self.ask(link, command)) as updates:
            async for update in updates:
                return update
        raise Retryable(f"the collector {link.name!r} said nothing")
