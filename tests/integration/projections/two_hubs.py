"""Hubs on one database, reduced to what decides who projects an event: a log, positions, claims, and projections."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.ranges import SeqRanges
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.projections.claims import Claims
from mtd.projections.committer import Committer
from mtd.projections.frames import FrameEncoder
from mtd.projections.sources import SourcesProjection
from mtd.storage.errors import StatementRejected
from mtd.storage.pool import Database
from mtd.storage.stores.hub_logs import HubLogStore
from mtd.storage.stores.ingest_logs import IngestLogStore
from mtd.storage.stores.positions import PositionStore
from mtd.storage.txn import Transaction
from tests.integration.projections.kit import World, change, now_us

POISON = "poison"
NAMES = ("one", "two")


class Noting:
    """A projection that writes a row for each event, and can't take some."""

    kinds = ("state_changed",)
    tables = ("noted",)

    def __init__(self, name: str) -> None:
        self.name = name

    def begin(self, log_id: str, frames: FrameEncoder) -> NotingBatch:
        return NotingBatch(self.name, log_id)

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        await tx.execute(
            "DELETE FROM mtd.noted WHERE projection = %s AND log_id = %s AND seq >= %s",
            (self.name, log_id, first_seq),
        )


class NotingBatch:
    def __init__(self, name: str, log_id: str) -> None:
        self._name, self._log_id = name, log_id
        self._events: list[tuple[int, Envelope]] = []

    def add(self, seq: int, envelope: Envelope) -> None:
        self._events.append((seq, envelope))

    async def prepare(self) -> None:
        return

    async def write(self, tx: Transaction) -> None:
        for seq, envelope in self._events:
            if self._name == NAMES[0] and envelope.state_changed.message == POISON:
                raise StatementRejected("it is poison", "22000")
            source = str(uuid.UUID(bytes=envelope.source_log_id)) if envelope.source_seq else self._log_id
            await tx.execute(
                "INSERT INTO mtd.noted VALUES (%s, %s, %s, %s, %s)",
                (self._name, self._log_id, seq, source, envelope.source_seq or seq),
            )


async def prepare(world: World) -> None:
    """Make the table that these projections write."""
    await world.ask(
        "CREATE TABLE mtd.noted (projection text, log_id uuid, seq int8, source uuid, source_seq int8);"
        " GRANT ALL ON mtd.noted TO mtd_writer"
    )


class Edge:
    """A collector's log: positions from 1 on; some hold poison."""

    def __init__(self, length: int, poisoned: Sequence[int] = ()) -> None:
        self.log_id = str(uuid.uuid4())
        self.length = length
        self._poisoned = frozenset(poisoned)

    def event(self, position: int) -> Envelope:
        envelope = change(now_us(), new=f"event-{position}")
        if position in self._poisoned:
            envelope.state_changed.message = POISON
        envelope.source_log_id, envelope.source_seq = uuid.UUID(self.log_id).bytes, position
        return envelope


class ModelHub:
    """A hub whose projections take a step when they are told to."""

    def __init__(self, world: World) -> None:
        self._db: Database = world.db
        self._config = world.config
        self._projections: dict[str, Any] = {name: Noting(name) for name in NAMES} | {
            "sources": SourcesProjection()
        }
        self.logs: list[str] = []
        self.lose_disk()

    def lose_disk(self) -> None:
        self.log_id = str(uuid.uuid4())
        self.logs.append(self.log_id)
        self.events: list[tuple[int, Envelope]] = []
        self.stored: dict[str, SeqRanges] = {}
        self.forget_all()

    def forget_all(self) -> None:
        """As a process that was killed does."""
        self._positions = PositionStore(self._db, self.log_id)
        self._claims = Claims(HubLogStore(self._db, self.log_id))
        self._committer = Committer(
            self._db, self._positions, self._claims, self._config.model_copy(), SYSTEM_CLOCK
        )
        self._opened = False

    async def take(self, edge: Edge, first: int, last: int) -> None:
        """Append what of these is neither in this log nor in the database, as the door of ingest does."""
        store = IngestLogStore(self._db, self.log_id)
        await store.claim(edge.log_id, str(uuid.UUID(int=1)), "edge")
        here = self.stored.setdefault(edge.log_id, SeqRanges())
        taken = SeqRanges(here)
        taken.update((await store.projected(edge.log_id)).projected)
        for low, high in taken.missing(first, min(last, edge.length)):
            for position in range(low, high + 1):
                self.events.append((len(self.events) + 1, edge.event(position)))
            here.add(low, high)

    def observe(self) -> None:
        """Append an event of its own."""
        self.events.append((len(self.events) + 1, change(now_us(), new="own")))

    async def step(self, which: int, count: int) -> bool:
        """Project so many events in one of the lanes; false if that one has none left."""
        if not self._opened:
            await self._positions.load(self._projections)
            await self._claims.open(1)
            self._opened = True
        positions = await self._positions.load(self._projections)
        lanes = sorted(set(positions.values()))
        position = lanes[which % len(lanes)]
        events = self.events[position : position + count]
        if not events:
            return False
        names = [name for name in self._projections if positions[name] == position]
        await self._committer.commit(
            [self._projections[name] for name in names], position, events, _told_nobody
        )
        return True

    async def rebuild(self, name: str) -> None:
        projection: Any = self._projections[name]

        async def forget(tx: Transaction) -> None:
            await self._positions.put_back(tx, name, 0)
            await projection.forget(tx, self.log_id, 1)
            await self._positions.exhume(tx, name, 1)

        await self._db.run("forget", forget)

    async def finish(self) -> None:
        """Project all there is."""
        while any([await self.step(lane, 1000) for lane in range(3)]):
            continue


async def _told_nobody(done: object, written: object) -> None:
    return


async def check_each_once(
    world: World, hubs: Sequence[ModelHub], edge: Edge, poisoned: Sequence[int]
) -> None:
    """Each event of the edge's and of the hubs' own is a row of each projection, or a dead letter of one."""
    for name in NAMES:
        rows = await world.ask(
            "SELECT source_seq FROM mtd.noted WHERE projection = %s AND source = %s ORDER BY 1",
            name,
            edge.log_id,
        )
        wanted = [n for n in range(1, edge.length + 1) if name != NAMES[0] or n not in poisoned]
        assert [position for (position,) in rows] == wanted
        for hub in hubs:
            own = [seq for seq, envelope in hub.events if not envelope.source_seq]
            rows = await world.ask(
                "SELECT seq FROM mtd.noted WHERE projection = %s AND source = %s ORDER BY 1", name, hub.log_id
            )
            assert [seq for (seq,) in rows] == own
    logs = [log_id for hub in hubs for log_id in hub.logs]
    letters = await world.value("SELECT count(*) FROM dead_letter WHERE log_id = ANY (%s::uuid[])", logs)
    assert letters == len(poisoned)
