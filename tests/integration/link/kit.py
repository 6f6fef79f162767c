"""A hub with its CA and its door for collectors, edges that enrolled there, and a coordination that the test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from mtd.api.grpc.link import link_part
from mtd.api.link.desk import LinkDesk
from mtd.api.link.parts import EdgeState, LinkParts
from mtd.app.dialling import HubDial
from mtd.app.enrolling import enrol
from mtd.app.identity_files import IdentityFiles
from mtd.app.renewal import HubClient, IdentityKeeper
from mtd.coordination.memory import MemoryLeaseStore
from mtd.core.clock import LEASE_CLOCK
from mtd.core.errors import LeaseLost, Superseded
from mtd.link.config import LinkConfig
from mtd.link.errands import NoErrands
from mtd.link.kept import KeptFile
from mtd.link.seat import Edge, RemoteSeat
from mtd.model.assignment import AssignedDevice, Assignment, CollectorFacts, Lease, Membership
from mtd.model.collector_report import CollectorReport
from mtd.security.config import PrivacyConfig
from mtd.security.keyfile import MasterKey
from mtd.security.pseudonyms import Pseudonyms
from mtd.storage.errors import StorageUnavailable
from mtd.testing import run_async
from tests.integration.certificates.kit import Hub, hub_in

KEY = MasterKey.of(b"\1" * 32)
HUBS_PSEUDONYMS = Pseudonyms(MasterKey.of(b"\2" * 32), PrivacyConfig())
QUICK = LinkConfig(
    first_retry_s=0.05,
    longest_retry_s=0.2,
    refused_grace_s=0,
    answer_timeout_s=10.0,
    superseded_pause_s=60,
    report_interval_s=0.05,
    part_devices=2,
)
Rows = Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]]


class Decided:
    """See `ICoordination`: each collector polls what the test says."""

    def __init__(self, lease_s: float = 60.0) -> None:
        self._lease_s = lease_s
        self._leases = MemoryLeaseStore()
        self._wanted: dict[str, Assignment] = {}
        self._changed: dict[str, set[asyncio.Event]] = {}
        self.joined: list[tuple[CollectorFacts, bool, list[str]]] = []
        self.has_applied: list[tuple[str, int]] = []
        self.has_released: list[tuple[str, dict[str, int]]] = []
        self.has_left: list[str] = []
        self.renewals = 0
        self.is_away = False

    def assign(
        self, name: str, revision: int, *devices: AssignedDevice, releasing: Mapping[str, int] | None = None
    ) -> None:
        wanted = {one.device.device_id: one for one in devices}
        self._wanted[name] = Assignment(revision, wanted, releasing or {})
        for event in self._changed.get(name, ()):
            event.set()

    async def join(
        self, facts: CollectorFacts, *, resumes: bool = False, holds: Collection[str] = ()
    ) -> Membership:
        self._look()
        name, holder = f"collector/{facts.collector_id}", facts.instance_id
        lease = await self._leases.acquire(name, holder, self._lease_s)
        if lease is None:
            if resumes:
                raise Superseded(f"another process takes part as the collector {facts.name!r}")
            state = await self._leases.read(name)
            assert state is not None
            await self._leases.release(Lease(name, state.holder, state.epoch, 0.0))
            lease = await self._leases.acquire(name, holder, self._lease_s)
        assert lease is not None
        self.joined.append((facts, resumes, list(holds)))
        return Membership(facts, lease)

    async def renew(self, membership: Membership) -> Membership:
        self._look()
        self.renewals += 1
        try:
            return Membership(membership.facts, await self._leases.renew(membership.lease, self._lease_s))
        except LeaseLost as error:
            raise Superseded(str(error)) from None

    async def leave(self, membership: Membership) -> None:
        self._look()
        self.has_left.append(membership.facts.name)

    async def assignments(self, membership: Membership) -> AsyncGenerator[Assignment, None]:
        name, changed = membership.facts.name, asyncio.Event()
        self._changed.setdefault(name, set()).add(changed)
        changed.set()
        try:
            while True:
                await changed.wait()
                changed.clear()
                self._look()
                if name in self._wanted:
                    yield self._wanted[name]
        finally:
            self._changed[name].discard(changed)

    async def applied(self, membership: Membership, revision: int) -> None:
        self._look()
        self.has_applied.append((membership.facts.name, revision))

    async def released(self, membership: Membership, epochs: Mapping[str, int]) -> None:
        self._look()
        self.has_released.append((membership.facts.name, dict(epochs)))

    def _look(self) -> None:
        if self.is_away:
            raise StorageUnavailable("PostgreSQL is away")


class Site:
    """Hubs that share a database and a CA, with what of them edges meet."""

    def __init__(self, folder: Path, dsn: str, coordination: Any, renew_s: float) -> None:
        self.folder = folder
        self._dsn = dsn
        self.coordination = coordination
        self._renew_s = renew_s
        self._stack = AsyncExitStack()
        self.rows: Rows = {}
        self.states: list[EdgeState] = []
        self.seen: set[str] = set()
        self.edges: list[EdgeProcess] = []

    async def open(self) -> None:
        self.hub, self.desk = await self.another_hub(self._stack)

    async def close(self) -> None:
        for edge in self.edges:
            await edge.stop()
        await self._stack.aclose()

    async def another_hub(self, stack: AsyncExitStack, **sections: Any) -> tuple[Hub, LinkDesk]:
        """Open a hub; the stack closes it."""
        made: list[Hub] = []
        desk = LinkDesk(10)

        async def served(collector_id: str) -> Collection[str]:
            collectors = made[0].certificates.collectors
            assert collectors is not None
            return collectors._known.members[collector_id].tenants[1:]

        async def rows(device_ids: Collection[str], tables: Collection[str]) -> Rows:
            return {
                device_id: {table: keys for table, keys in found.items() if table in tables}
                for device_id, found in self.rows.items()
                if device_id in device_ids
            }

        async def store(state: EdgeState) -> None:
            self.states.append(state)

        parts = LinkParts(
            self.coordination,
            desk,
            served,
            HUBS_PSEUDONYMS.key_of,
            rows,
            lambda collector_id, _peer: self.seen.add(collector_id),
            store,
            QUICK,
            self._renew_s,
            "9.9.9",
            LEASE_CLOCK,
        )
        hub = await stack.enter_async_context(
            hub_in(self.folder / "hub", self._dsn, [link_part(parts)], **sections)
        )
        made.append(hub)
        return hub, desk

    async def edge(
        self, name: str, tenant: str = "", *, targets: Collection[str] = (), **others: Any
    ) -> EdgeProcess:
        """Enrol an edge, and start it."""
        edge = await self.enrolled(name, tenant, targets=targets, **others)
        await edge.start()
        return edge

    async def enrolled(
        self, name: str, tenant: str = "", *, targets: Collection[str] = (), **others: Any
    ) -> EdgeProcess:
        """Enrol an edge."""
        files = IdentityFiles(self.folder / name / "identity")
        token = await self.hub.invite(name, tenant)
        await asyncio.to_thread(enrol, files, f"127.0.0.1:{self.hub.server.port}", token)
        edge = EdgeProcess(self, name, files, targets, **others)
        self.edges.append(edge)
        return edge


class EdgeProcess:
    """An edge: all of it, but for routers. Another one with the same name is the same collector started again."""

    def __init__(
        self,
        site: Site,
        name: str,
        files: IdentityFiles,
        targets: Collection[str] = (),
        handler: Any = None,
        config: LinkConfig = QUICK,
        margin_s: float = 0.5,
    ) -> None:
        self.site, self.name, self._files, self._targets = site, name, files, targets
        self._handler, self._config, self._margin_s = handler, config, margin_s
        self.newest: Assignment | None = None
        self.lets_go = True
        self.report = CollectorReport(buffer_events=7, devices=2, pressure="t3")
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    def again(self, **others: Any) -> EdgeProcess:
        """Return the same collector, as another process."""
        made = EdgeProcess(self.site, self.name, self._files, self._targets, **others)
        self.site.edges.append(made)
        return made

    async def prepare(self) -> RemoteSeat:
        """Make the seat, and the client that it calls with."""
        identity = await asyncio.to_thread(self._files.load)
        assert identity is not None
        self.identity = identity
        self.hubs = HubClient(
            IdentityKeeper(self._files, identity, lambda _: None), list(self._targets), grace_s=0.1
        )
        await self.hubs.start()
        self.seat = RemoteSeat(
            Edge(self.name, identity.collector_id, "1.2.3"),
            HubDial(self.hubs),
            KeptFile(self._files.folder.parent / "assignment.sealed", lambda: [KEY]),
            self._handler or NoErrands(),
            self._report,
            self._config,
            margin_s=self._margin_s,
        )
        return self.seat

    async def start(self) -> None:
        await self.prepare()
        await self.seat.start()
        self._following = asyncio.ensure_future(self._follow())

    async def stop(self) -> None:
        if self._following is not None:
            following, self._following = self._following, None
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await self.seat.stop()
            await self.hubs.stop()

    async def kill(self) -> None:
        """End it without a word."""
        assert self._following is not None
        following, self._following = self._following, None
        following.cancel()
        await self.seat._tasks.stop()
        await asyncio.gather(following, return_exceptions=True)
        await self.hubs.stop()

    async def until(self, *devices: AssignedDevice) -> None:
        """Wait until exactly these are assigned."""
        await until(
            lambda: (
                self.newest is not None
                and self.newest.devices == {one.device.device_id: one for one in devices}
            )
        )

    async def _report(self) -> CollectorReport:
        return self.report

    async def _follow(self) -> None:
        before: set[str] = set()
        async with aclosing(self.seat.assignments()) as assignments:
            async for self.newest in assignments:
                gone, before = before - self.newest.devices.keys(), set(self.newest.devices)
                if self.lets_go:
                    await self.seat.released(gone)


async def until(true: Callable[[], object], within_s: float = 15.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def site_in(folder: Path, dsn: str, coordination: Any, renew_s: float) -> AsyncIterator[Site]:
    site = Site(folder, dsn, coordination, renew_s)
    await site.open()
    try:
        yield site
    finally:
        await site.close()


def with_site(
    folder: Path,
    dsn: str,
    body: Callable[[Site, Decided], Awaitable[None]],
    *,
    lease_s: float = 60.0,
    renew_s: float = 0.1,
) -> None:
    """Run a test's body with a hub."""

    async def main() -> None:
        decided = Decided(lease_s)
        async with site_in(folder, dsn, decided, renew_s) as site:
            await body(site, decided)

    run_async(main(), timeout_s=60)
