"""Edges that PostgreSQL's coordinator assigns to, over their links: every device polled by one, and never by two."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from mtd.link.config import LinkConfig
from mtd.testing import run_async
from tests.integration.coordination.kit import Process, World, until, with_world
from tests.integration.link.kit import QUICK, Site, site_in

CONFIG: LinkConfig = QUICK.model_copy(update={"answer_timeout_s": 1.0})


class EdgeOfWorld(Process):
    """A process of the world that sits at the edge: it asks over its link."""

    async def take_seat(self, site: Site) -> EdgeOfWorld:
        self.edge = await site.enrolled(self.name, config=CONFIG, margin_s=0.2)
        self.seat = await self.edge.prepare()  # type: ignore[assignment]
        return self

    async def cut_off(self) -> None:
        """Its line is cut: what it calls isn't there any more."""
        self.target, self.edge.hubs._targets = self.edge.hubs._targets, ("127.0.0.1:1",)
        await self.edge.hubs._replace()

    async def join_again(self) -> None:
        """The line is there again."""
        self.edge.hubs._targets = self.target
        await self.edge.hubs._replace()

    async def kill(self) -> None:
        await super().kill()
        await self.edge.hubs.stop()


def with_edges(folder: Path, dsn: str, body: Callable[[World, Site, Process], Awaitable[None]]) -> None:
    async def main(world: World) -> None:
        hub = await world.process("hub").start(polls=False)
        async with site_in(folder, dsn, hub.coordination, world.config.renew_s) as site:
            await body(world, site, hub)

    run_async(with_world(dsn, main), 90)


def edge(world: World, name: str) -> EdgeOfWorld:
    made = EdgeOfWorld(world.dsn, name, world.ledger, world.config)
    world.processes.append(made)
    return made


def test_edges_share_take_over_and_are_cut_off(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(world: World, site: Site, hub: Process) -> None:
        await world.add_devices(12)
        first = await edge(world, "edge-1").take_seat(site)
        await first.start(coordinates=False)
        await until(lambda: world.counts() == {"edge-1": 12}, "the only one polls all")
        assert first.seat._holding.has_exclusive  # type: ignore[attr-defined]
        second = await edge(world, "edge-2").take_seat(site)
        await second.start(coordinates=False)
        await until(lambda: len(second.polls) > 1 and sum(world.counts().values()) == 12, "they share")
        await world.settled()
        await until(lambda: not first.seat._holding.has_exclusive, "nothing is anybody's alone")  # type: ignore[attr-defined]
        # Cut off, the first one stops before the second begins; then it is alone.
        await first.cut_off()
        await until(lambda: world.counts() == {"edge-2": 12}, "the other takes over")
        await until(lambda: second.seat._holding.has_exclusive, "it has them alone")  # type: ignore[attr-defined]
        # Alone and cut off, it polls on, and they stay its own though the first one comes back.
        await second.cut_off()
        await until(lambda: not second.seat.state.linked, "it is cut off")  # type: ignore[attr-defined]
        await first.join_again()
        went = [one.name for made in hub.decisions for one in made.went]
        await until(
            lambda: [one.name for made in hub.decisions for one in made.went] != went or "edge-2" in went,
            "the hub hears nothing of it",
        )
        assert len(second.polls) == 12
        assert first.polls == set()
        await second.join_again()
        await until(lambda: len(first.polls) > 1 and sum(world.counts().values()) == 12, "they share again")

    with_edges(tmp_path, postgres_dsn, body)
