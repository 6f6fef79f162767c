"""A trace that began at an edge goes on at its hub, over both logs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtd.core import tracing
from mtd.core.tracing import Link
from tests.integration.ingest.hub import Hub, events, with_hub
from tests.integration.ingest.test_copying import LOG
from tests.unit.core.trace_book import Book


@pytest.fixture
def book() -> Iterator[Book]:
    """Return what remembers the spans, in use."""
    made = Book(samples=False)
    tracing.use(made)
    yield made
    tracing.use(None)


def test_a_sampled_event_of_an_edge_has_its_steps_at_the_hub(postgres_dsn: str, book: Book) -> None:
    link = Link(0xED6E, 0x1)
    sent = events(1, 3)
    sent[1].trace_context = link.to_bytes()
    sent[2].trace_context = b"whatever an edge may send"

    async def body(hub: Hub) -> None:
        stream = hub.stream(LOG)
        await stream.open()
        await stream.store(1, sent)
        await hub.world.project()
        await stream.close()
        kept = [event.trace_context for batch in await hub.log.read(0, 10) for event in batch.events]
        assert kept == [b"", book.named("append")[0].link.to_bytes(), b""]

    with_hub(postgres_dsn, body)
    steps = [step for step in book.steps if step.link.trace_id == link.trace_id]
    assert [step.name for step in steps] == ["append", "project", "publish"]
    append, project, publish = steps
    assert (append.parent, project.parent, publish.parent) == (link, append.link, project.link)
    assert append.attributes == {"mtd.source_log_id": LOG}
    assert [step.ended for step in steps] == [[""]] * 3
