"""Steps of a trace, as those who work mark them.

The span under way is in a context variable, so that whatever is called finds its
parent. Where work passes from one task to another, through the log, the event
carries the parent instead. Nothing here needs OpenTelemetry: ``export`` does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import Protocol, TypeAlias, TypeVar

from mtd.core.tracing.link import Link
from mtd.core.tracing.metrics import SPANS

Y = TypeVar("Y")
S = TypeVar("S")
T = TypeVar("T")

Attribute: TypeAlias = str | int | float | bool
Attributes: TypeAlias = Mapping[str, Attribute]

_NONE: Attributes = MappingProxyType({})

MOST_TOGETHER = 64
"""Of a batch of events, so many traces get spans. More can only be where nearly everything is sampled."""


class Span(Protocol):
    """One step that is under way."""

    link: Link

    def set(self, name: str, value: Attribute) -> None:
        """Add what is only known later."""

    def end(self, error: str = "") -> None:
        """End it, once; ``error`` says what went wrong, and holds nothing that may be secret."""


class Tracer(Protocol):
    """Makes spans."""

    def chosen(self) -> bool:
        """Whether a trace that could begin now is to be sampled."""

    def follows(self) -> bool:
        """Whether a caller's trace that comes now is to be followed."""

    def start(self, name: str, parent: Link | None, attributes: Attributes, *, serves: bool = False) -> Span:
        """Begin a span. ``serves``: for a caller elsewhere."""


class Carrying(Protocol):
    """What carries a trace: an event."""

    trace_context: bytes


_NOTHING: AbstractContextManager[Span | None] = contextlib.nullcontext()
_current: ContextVar[Link | None] = ContextVar("mtd_trace", default=None)
_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """Trace with this from now on; None: not at all."""
    global _tracer  # noqa: PLW0603 - one per process, and looked at thousands of times a second
    _tracer = tracer


def is_on() -> bool:
    """Whether traces are made at all."""
    return _tracer is not None


def current() -> Link | None:
    """Return the span under way, if it is sampled."""
    return _current.get()


def trace_id() -> str:
    """Return the id of the trace under way as it is written; empty if none is sampled."""
    link = _current.get()
    return "" if link is None else f"{link.trace_id:032x}"


def carried() -> bytes:
    """Return what an event that is made now has to carry; empty if no trace is under way."""
    if _tracer is None or (link := _current.get()) is None:
        return b""
    return link.to_bytes()


def detached() -> None:
    """Leave the trace under way, for what is left of this context: work that goes on without an end."""
    _current.set(None)


def begin(name: str, attributes: Attributes = _NONE) -> AbstractContextManager[Span | None]:
    """Begin a trace, if it is to be sampled; its first span ends with the context."""
    if _tracer is None or not _tracer.chosen():
        return _NOTHING
    return _Entered(_tracer.start(name, None, attributes))


def step(name: str, attributes: Attributes = _NONE) -> AbstractContextManager[Span | None]:
    """Begin a step of the trace under way, if there is one; it ends with the context."""
    if _tracer is None or (parent := _current.get()) is None:
        return _NOTHING
    return _Entered(_tracer.start(name, parent, attributes))


def follow(
    name: str, parent: Link | None, attributes: Attributes = _NONE
) -> AbstractContextManager[Span | None]:
    """Begin a step of a caller's trace; or a trace of our own, if it has none and this is to be sampled."""
    if _tracer is None or not (_tracer.chosen() if parent is None else _tracer.follows()):
        return _NOTHING
    return _Entered(_tracer.start(name, parent, attributes, serves=True))


def each(name: str, events: Iterable[Carrying], attributes: Attributes = _NONE) -> Group:
    """Begin a step for each trace that these events carry."""
    if _tracer is None:
        return _NO_GROUP
    return Group(
        _tracer, name, {context: context for event in events if (context := event.trace_context)}, attributes
    )


async def around(name: str, work: Awaitable[T]) -> T:
    """Await something as a step of the trace under way."""
    with step(name):
        return await work


def stepping(name: str, steps: Generator[Y, S, T]) -> Generator[Y, S, T]:
    """Return a generator that does the same as a step of the trace under way."""
    with step(name):
        return (yield from steps)


class _Entered:
    """A span that is the one under way within a context."""

    __slots__ = ("_before", "_span")

    def __init__(self, span: Span) -> None:
        self._span = span
        self._before: Link | None = None

    def __enter__(self) -> Span:
        self._before = _current.get()
        _current.set(self._span.link)
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Set, not reset: the steps of long work may be ended in another context than they began in.
        _current.set(self._before)
        self._span.end("" if kind is None else kind.__name__)


class Group:
    """The same step of several traces, whose events are worked on together."""

    def __init__(
        self,
        tracer: Tracer | None = None,
        name: str = "",
        parents: Mapping[bytes, bytes] | None = None,
        attributes: Attributes = _NONE,
    ) -> None:
        self._tracer = tracer
        self._spans: dict[bytes, Span] = {}  # by what the events carry
        if tracer is None:
            return
        for number, (context, parent) in enumerate((parents or {}).items()):
            link = Link.from_bytes(parent)
            if link is None:
                continue
            if number >= MOST_TOGETHER:
                SPANS.labels(outcome="crowded").inc()
                continue
            self._spans[context] = tracer.start(name, link, attributes)

    def __enter__(self) -> Group:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end("" if kind is None else kind.__name__)

    def __bool__(self) -> bool:
        return bool(self._spans)

    def hand_on(self, events: Iterable[Carrying]) -> None:
        """Let events carry this step from here on, in place of the one before."""
        if not self._spans:
            return
        links = {context: span.link.to_bytes() for context, span in self._spans.items()}
        for event in events:
            if event.trace_context in links:
                event.trace_context = links[event.trace_context]

    def set(self, name: str, value: Attribute) -> None:
        """Add what is only known later."""
        for span in self._spans.values():
            span.set(name, value)

    def then(self, name: str, events: Iterable[Carrying], attributes: Attributes = _NONE) -> Group:
        """End this step for some events, and begin the one after it."""
        if not self._spans:
            return _NO_GROUP
        done: dict[bytes, bytes] = {}
        for context in {event.trace_context for event in events}:
            span = self._spans.pop(context, None)
            if span is not None:
                span.end()
                done[context] = span.link.to_bytes()
        return Group(self._tracer, name, done, attributes)

    def end(self, error: str = "") -> None:
        """End what hasn't ended yet."""
        spans, self._spans = self._spans, {}
        for span in spans.values():
            span.end(error)


_NO_GROUP = Group()


@contextlib.contextmanager
def within(link: Link | None) -> Iterator[None]:
    """Work for a trace that was carried here otherwise."""
    before = _current.get()
    _current.set(link)
    try:
        yield
    finally:
        _current.set(before)
