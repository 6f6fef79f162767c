"""Steps of traces, without OpenTelemetry: who is whose child, and that nothing is made where nothing is sampled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.core import tracing
from mtd.core.service import TaskGroup
from mtd.core.tracing import Link
from mtd.core.tracing.config import TracingConfig
from mtd.core.tracing.metrics import SPANS
from mtd.core.tracing.spans import MOST_TOGETHER, within
from mtd.pb.events.v1.envelope_pb2 import Envelope
from tests.contract.loop import run
from tests.unit.core.trace_book import Book

IDS = st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)


@pytest.fixture
def book() -> Iterator[Book]:
    """Return what remembers the spans, in use."""
    made = Book()
    tracing.use(made)
    yield made
    tracing.use(None)


@given(*IDS)
def test_a_link_comes_back_as_it_went(trace_id: int, span_id: int) -> None:
    link = Link(trace_id, span_id)
    assert Link.from_bytes(link.to_bytes()) == link
    assert Link.from_traceparent(link.traceparent) == link


@given(st.binary(max_size=40))
def test_bytes_that_are_no_link_are_none(data: bytes) -> None:
    found = Link.from_bytes(data)
    assert found is None or found.to_bytes() == data


@given(st.text(max_size=80))
def test_a_text_that_is_no_traceparent_is_none(text: str) -> None:
    assert Link.from_traceparent(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",  # not sampled
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    ],
)
def test_a_traceparent_that_may_not_be_followed_is_none(text: str) -> None:
    assert Link.from_traceparent(text) is None


def test_a_later_version_may_say_more() -> None:
    text = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more"
    assert Link.from_traceparent(text) == Link(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7)


def test_without_traces_nothing_is_made() -> None:
    """All that is given out is one object that does nothing."""
    assert tracing.begin("poll") is tracing.step("record") is tracing.follow("call", Link(1, 2))
    events = [Envelope(trace_context=Link(1, 2).to_bytes())]
    group = tracing.each("append", events)
    assert group is tracing.each("project", events)
    assert not group
    with tracing.begin("poll") as span:
        assert span is None
        assert (tracing.current(), tracing.carried(), tracing.trace_id()) == (None, b"", "")


def test_what_is_not_sampled_is_not_made(book: Book) -> None:
    book.samples = False
    with tracing.begin("poll"), tracing.step("record"):
        assert tracing.carried() == b""
    assert book.steps == []


def test_steps_are_children_of_what_is_under_way(book: Book) -> None:
    with tracing.begin("poll", {"mtd.tier": "t0"}):
        with tracing.step("ask"):
            pass
        with tracing.step("record"):
            carried = tracing.carried()
    poll, ask, record = book.steps
    assert poll.attributes == {"mtd.tier": "t0"}
    assert ask.parent == record.parent == poll.link
    assert carried == record.link.to_bytes()
    assert [step.ended for step in book.steps] == [[""]] * 3
    assert tracing.current() is None


def test_a_step_that_fails_says_by_what_and_nothing_more(book: Book) -> None:
    with pytest.raises(ValueError, match="hunter2"), tracing.begin("poll"):
        raise ValueError("hunter2")
    assert book.steps[0].ended == ["ValueError"]


def test_a_call_follows_its_caller_even_if_we_would_not_sample_it(book: Book) -> None:
    book.samples = False
    with tracing.follow("call", Link(7, 8)), tracing.step("transaction"):
        pass
    assert book.steps[0].parent == Link(7, 8)
    assert book.steps[1].link.trace_id == 7


def test_events_carry_a_trace_through_the_log(book: Book) -> None:
    """append, project and publish of what two polls recorded in one batch, each below its own."""
    events: list[Envelope] = []
    for _ in range(2):
        with tracing.begin("poll"), tracing.step("record"):
            events += [Envelope(trace_context=tracing.carried()), Envelope(trace_context=tracing.carried())]
    events.append(Envelope())
    with tracing.each("append", events) as appends:
        appends.hand_on(events)
    projects = tracing.each("project", events)
    with projects:
        with projects.then("publish", events[:2]):
            pass
        with projects.then("publish", events[2:]):
            pass
    for number in range(2):
        chain = [book.named(name)[number] for name in ("record", "append", "project", "publish")]
        assert [step.parent for step in chain[1:]] == [step.link for step in chain[:-1]]
    assert [step.ended for step in book.steps] == [[""]] * len(book.steps)
    assert events[-1].trace_context == b""


def test_a_batch_of_too_many_traces_has_some_of_them(book: Book) -> None:
    before = SPANS.labels(outcome="crowded")._value.get()
    events = [Envelope(trace_context=Link(number, 1).to_bytes()) for number in range(1, MOST_TOGETHER + 6)]
    with tracing.each("append", events) as appends:
        appends.hand_on(events)
    assert len(book.steps) == MOST_TOGETHER
    assert SPANS.labels(outcome="crowded")._value.get() == before + 5


def test_what_events_carry_that_is_no_trace_is_left_alone(book: Book) -> None:
    events = [Envelope(trace_context=b"rubbish"), Envelope(trace_context=bytes(24))]
    with tracing.each("append", events) as appends:
        appends.hand_on(events)
    assert book.steps == []
    assert [event.trace_context for event in events] == [b"rubbish", bytes(24)]


def test_a_task_has_the_trace_of_whom_began_it_and_the_background_has_none(book: Book) -> None:
    async def look() -> Link | None:
        return tracing.current()

    async def both() -> tuple[Link | None, Link | None]:
        tasks = TaskGroup("test")
        with tracing.begin("call"):
            child = asyncio.create_task(look())
            background = tasks.spawn("background", look())
        return await child, await background

    assert run(both()) == (book.steps[0].link, None)


def test_a_carried_link_is_under_way_within(book: Book) -> None:
    with within(Link(3, 4)), tracing.step("apply"):
        pass
    assert book.steps[0].parent == Link(3, 4)
    assert tracing.current() is None


@pytest.mark.parametrize(
    "endpoint",
    ["collector:4317", "grpc://collector", "http://user:pw@collector", "http://c/v1/traces", "http://"],
)
def test_an_endpoint_that_is_none_is_told(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"http://127\.0\.0\.1:4317"):
        TracingConfig(endpoint=endpoint)


def test_batches_fit_into_the_queue() -> None:
    with pytest.raises(ValueError, match="queue_spans"):
        TracingConfig(queue_spans=10, batch_spans=11)
