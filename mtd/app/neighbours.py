"""Other hubs on the same database: who they are, and what they have committed, for those who look on here.

A hub that commits tells the others of which devices and tenants; they read the newest values of these devices for
the streams, consoles and scrapers that are theirs. Nothing is told while there is no other hub.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mtd.api.grpc.stream_hub import may_be_event
from mtd.app import neighbours_metrics as metrics
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Misconfigured, MtdError
from mtd.core.service import TaskGroup
from mtd.model.events import payload_kind
from mtd.queries.latest import LatestQueries
from mtd.storage.stores.hub_news import CHANNEL, NewsKind, news_of, payloads_of, tell

if TYPE_CHECKING:
    from mtd.api.grpc.stream_hub import StreamHub
    from mtd.app.neighbours_config import NeighboursConfig
    from mtd.model.assignment import Lease
    from mtd.pb.events.v1.envelope_pb2 import Envelope
    from mtd.storage.pool import Database, Listening

logger = logging.getLogger(__name__)

LEASES = "hub/"
_DEVICES_AT_ONCE = 200
_RELEASE_S = 1.0
_LAST_WORD_S = 2.0
_RETRY_S = 2.0

Devices = defaultdict[str, set[str]]
"""Devices by tenant. As many at most as the inventory has."""


class Neighbours:
    """Tells other hubs what was committed here, and takes what they tell.

    ``names``: `daemon.collector_id`, which no other may have, and the log's id. ``enter`` says that this hub is there. ``tables``: those that name things. ``on_events`` is
    told the tenants of which another hub has committed events; ``watched`` returns whether somebody looks on.
    """

    def __init__(
        self,
        names: tuple[str, str],
        pools: tuple[Database, Database],
        enter: Callable[[], Awaitable[None]],
        leases: Any,
        hub: StreamHub,
        config: NeighboursConfig,
        *,
        tables: Collection[str],
        on_events: Callable[[set[str]], None],
        watched: Callable[[], bool],
    ) -> None:
        self._name, log_id = names
        # Hubs of one name are told apart by their logs, hubs that share a log by their names.
        self._me = str(uuid.uuid5(uuid.UUID(log_id), self._name))
        self._writer, across = pools
        self._enter = enter
        self._latest = LatestQueries(across)
        self._leases = leases
        self._hub = hub
        self._config = config
        self._tables = frozenset(tables)
        self._on_events = on_events
        self._watched = watched
        self._tasks = TaskGroup("app.neighbours")
        self._lease: Lease | None = None
        self._listening: Listening | None = None
        self._others: set[str] = set()
        self._to_tell: dict[NewsKind, Devices] = {NewsKind.VALUES: Devices(set), NewsKind.NAMES: Devices(set)}
        self._tenants_to_tell: set[str] = set()
        self._to_read: dict[NewsKind, Devices] = {NewsKind.VALUES: Devices(set), NewsKind.NAMES: Devices(set)}
        self._read_all = False
        self.failure = ""
        """Why this hub and another one can't both be; empty if they can."""

    async def start(self) -> None:
        """Begin. What is committed elsewhere from now on is heard."""
        self._listening = await self._writer.listen(CHANNEL, self._heard)
        self._read_all = False  # the hub of streams reads all when it starts, which is later
        self._tasks.spawn("presence", self._be_present())
        self._tasks.spawn("tell", self._tell())
        self._tasks.spawn("read", self._read())

    async def stop(self) -> None:
        """End, and let the others know: of what was committed at last, and that this hub is gone."""
        await self._tasks.stop()
        try:
            async with asyncio.timeout(_LAST_WORD_S):
                await self._tell_once()
        except TimeoutError:
            logger.warning(
                "other hubs weren't told what was committed here at last: PostgreSQL doesn't answer"
            )
        if self._listening is not None:
            await self._listening.stop()
        if self._lease is not None:
            try:
                async with asyncio.timeout(_RELEASE_S):
                    await self._leases.release(self._lease)
            except (MtdError, TimeoutError) as error:
                logger.info(
                    "the others learn in %g s that this hub has ended: %s", self._config.lease_s, error
                )

    @property
    def others(self) -> int:
        """How many other hubs there are."""
        return len(self._others)

    def committed(self, events: Sequence[tuple[int, Envelope]]) -> None:
        """Take events that were committed here: for streams of this hub, and to tell the others."""
        self._hub.publish(events)
        if not self._others:
            return
        values, names = self._to_tell[NewsKind.VALUES], self._to_tell[NewsKind.NAMES]
        for _, envelope in events:
            kind = payload_kind(envelope)
            if kind == "frame":
                values[envelope.tenant_id].add(envelope.device_id)
            elif kind == "table_delta":
                if envelope.table_delta.table in self._tables:
                    names[envelope.tenant_id].add(envelope.device_id)
            elif may_be_event(kind, envelope):
                self._tenants_to_tell.add(envelope.tenant_id)

    # -- who there is ------------------------------------------------------------

    async def _be_present(self) -> None:
        told = False
        while True:
            try:
                await self._look_around()
                if not told:
                    await tell(self._writer, list(payloads_of(self._me, NewsKind.HERE)))
                    told = True
            except Misconfigured as error:
                self._fail(str(error))
            except MtdError as error:
                logger.warning("which other hubs there are can't be read: %s", error)
            await asyncio.sleep(self._config.lease_s / 3)

    async def _look_around(self) -> None:
        await self._enter()
        held = await self._leases.acquire(LEASES + self._name, self._me, self._config.lease_s)
        if held is not None:
            self._lease = held
        problem = (
            ""
            if held is not None
            else f"another hub on this database is called {self._name!r}, too: give each a daemon.collector_id of its own"
        )
        self._fail(problem)
        states = await self._leases.list(LEASES)
        self._others = {one.holder for one in states if one.left_s > 0 and one.holder != self._me}
        metrics.NEIGHBOURS.set(len(self._others))

    def _fail(self, problem: str) -> None:
        if problem and problem != self.failure:
            logger.error("%s", problem)
        self.failure = problem

    # -- telling -----------------------------------------------------------------

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(self._config.tell_interval_s)
            if not await self._tell_once():
                await asyncio.sleep(_RETRY_S)

    async def _tell_once(self) -> bool:
        """Tell what there is; false if that can't be done now: it is kept."""
        kinds, tenants = self._to_tell, self._tenants_to_tell
        payloads = list(self._payloads(kinds, tenants))
        if not payloads:
            return True
        self._to_tell, self._tenants_to_tell = {kind: Devices(set) for kind in kinds}, set()
        try:
            await tell(self._writer, payloads)
        except MtdError as error:
            logger.warning("other hubs can't be told what is new: %s", error)
            self._tell_later(kinds, tenants)
            return False
        except BaseException:  # it is stopped: the last word is to come
            self._tell_later(kinds, tenants)
            raise
        metrics.TOLD.inc(len(payloads))
        return True

    def _tell_later(self, kinds: dict[NewsKind, Devices], tenants: set[str]) -> None:
        _merge(self._to_tell, kinds)
        self._tenants_to_tell |= tenants

    def _payloads(self, kinds: dict[NewsKind, Devices], tenants: set[str]) -> Iterator[str]:
        for kind, devices in kinds.items():
            for tenant_id, ids in devices.items():
                yield from payloads_of(self._me, kind, tenant_id, ids)
        for tenant_id in tenants:
            yield from payloads_of(self._me, NewsKind.EVENTS, tenant_id)

    # -- hearing and reading -----------------------------------------------------

    def _heard(self, payload: str | None) -> None:
        if payload is None:
            self._read_all = True
            return
        news = news_of(payload)
        if news is None or news.hub_id == self._me:
            return
        metrics.HEARD.labels(kind=news.kind.name.lower()).inc()
        if news.kind is NewsKind.HERE:
            self._others.add(news.hub_id)
        elif news.kind is NewsKind.EVENTS:
            self._on_events({news.tenant_id})
        else:
            self._to_read[news.kind][news.tenant_id].update(news.device_ids)

    async def _read(self) -> None:
        read_at = SYSTEM_CLOCK.monotonic()
        pause_s = self._config.read_interval_s
        while True:
            await asyncio.sleep(pause_s)
            now = SYSTEM_CLOCK.monotonic()
            if not self._watched() and now - read_at < self._config.idle_read_interval_s:
                continue
            try:
                await self._read_what_is_new()
            except MtdError as error:
                logger.warning("what other hubs have committed can't be read: %s", error)
                await asyncio.sleep(_RETRY_S)
            read_at = SYSTEM_CLOCK.monotonic()
            # Half of the time at most.
            pause_s = max(self._config.read_interval_s, read_at - now)

    async def _read_what_is_new(self) -> None:
        if self._read_all:
            self._read_all = False
            try:
                await self._hub.start()
            except BaseException:
                self._read_all = True
                raise
            self._on_events(set(self._hub.tenants()))
        for kind, read in ((NewsKind.NAMES, self._read_names), (NewsKind.VALUES, self._read_values)):
            wanted, self._to_read[kind] = self._to_read[kind], Devices(set)
            try:
                while wanted:
                    tenant_id, ids = next(iter(wanted.items()))
                    some = [ids.pop() for _ in range(min(len(ids), _DEVICES_AT_ONCE))]
                    try:
                        await read(tenant_id, some)
                    except BaseException:
                        ids.update(some)
                        raise
                    if not ids:
                        del wanted[tenant_id]
            finally:
                _merge(self._to_read, {kind: wanted})

    async def _read_values(self, tenant_id: str, device_ids: Sequence[str]) -> None:
        await self._hub.take_stored(await self._latest.latest_of(tenant_id, device_ids))
        metrics.DEVICES_READ.inc(len(device_ids))

    async def _read_names(self, tenant_id: str, device_ids: Sequence[str]) -> None:
        await self._hub.take_names(await self._latest.names_all(tenant_id, device_ids), complete=True)


def _merge(into: dict[NewsKind, Devices], more: dict[NewsKind, Devices]) -> None:
    for kind, devices in more.items():
        for tenant_id, ids in devices.items():
            into[kind][tenant_id] |= ids
