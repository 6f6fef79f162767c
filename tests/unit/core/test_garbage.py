import asyncio
import gc
from collections.abc import Iterator

import pytest

from mtd.core import garbage as module
from mtd.core.garbage import PAUSES, QuietGarbage
from tests.contract.loop import run


class Node:
    """Part of a cycle, which only the collector can free."""

    alive = 0

    def __init__(self) -> None:
        self.me = self
        Node.alive += 1

    def __del__(self) -> None:
        Node.alive -= 1


@pytest.fixture
def clean() -> Iterator[None]:
    Node.alive = 0
    before = gc.get_threshold(), list(gc.callbacks)
    yield
    gc.unfreeze()
    gc.collect()
    assert (gc.get_threshold(), list(gc.callbacks)) == before, "stop() must leave things as they were"


@pytest.mark.usefixtures("clean")
def test_survivors_of_a_long_collection_are_not_walked_again() -> None:
    garbage = QuietGarbage(long_s=0.0)
    garbage.start()
    try:
        at_start = gc.get_freeze_count()
        kept = [[] for _ in range(at_start // 10)]
        gc.collect()
        assert gc.get_freeze_count() > at_start + len(kept) // 2
        assert len(gc.get_objects()) < len(kept)
    finally:
        garbage.stop()
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("clean")
def test_a_short_collection_sets_nothing_aside() -> None:
    garbage = QuietGarbage(long_s=3600.0)
    garbage.start()
    try:
        at_start = gc.get_freeze_count()
        kept = [[] for _ in range(10_000)]
        gc.collect()
        assert gc.get_freeze_count() <= at_start < at_start + len(kept)
    finally:
        garbage.stop()


@pytest.mark.usefixtures("clean")
def test_cycles_that_were_set_aside_are_freed_when_it_has_grown() -> None:
    garbage = QuietGarbage(long_s=0.0)
    garbage.start()
    try:
        nodes: list[Node] = [Node() for _ in range(100)]
        gc.collect()  # sets them aside
        nodes.clear()
        gc.collect()
        assert Node.alive == 100, "they are garbage, and nobody looks"
        kept = [[] for _ in range(gc.get_freeze_count() // 2)]
        gc.collect()  # grown: all is taken back
        gc.collect()
        assert Node.alive == 0
        assert gc.get_freeze_count() > len(kept), "and set aside again"
    finally:
        garbage.stop()


@pytest.mark.usefixtures("clean")
def test_pauses_are_measured() -> None:
    def count() -> float:
        samples = next(iter(PAUSES.collect())).samples
        return sum(s.value for s in samples if s.name.endswith("_count") and s.labels["generation"] == "2")

    garbage = QuietGarbage()
    garbage.start()
    try:
        before = count()
        gc.collect()
        assert count() == before + 1
    finally:
        garbage.stop()


@pytest.mark.usefixtures("clean")
def test_young_objects_are_looked_at_though_as_many_go_as_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_YOUNG_S", 0.01)

    async def main() -> None:
        garbage = QuietGarbage(long_s=3600.0)
        garbage.start()
        looking = asyncio.ensure_future(garbage.keep_young_few())
        try:
            nodes: list[Node] = [Node() for _ in range(100)]
            nodes.clear()
            async with asyncio.timeout(10):
                while Node.alive:
                    await asyncio.sleep(0.01)
        finally:
            looking.cancel()
            garbage.stop()

    run(main())


@pytest.mark.usefixtures("clean")
def test_cycles_that_were_needed_at_the_first_look_are_freed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        looking = asyncio.ensure_future(garbage.keep_young_few())
        nodes = [Node() for _ in range(100)]
        await asyncio.sleep(0.05)  # several looks
        nodes.clear()
        async with asyncio.timeout(10):
            while Node.alive:
                await asyncio.sleep(0.01)
        looking.cancel()

    monkeypatch.setattr(module, "_YOUNG_S", 0.01)
    garbage = QuietGarbage(long_s=3600.0)
    garbage.start()
    try:
        run(body())
    finally:
        garbage.stop()
