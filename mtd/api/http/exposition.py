"""Text formats of Prometheus: 0.0.4, and OpenMetrics 1.0.

prometheus-client negotiates, and parses what we write in the tests. Its object
model would make 300,000 objects for a thousand routers, at each scrape; here
the lines of a poll group are a template that is made once and filled in.
"""

from __future__ import annotations

import asyncio
import enum
import math
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from prometheus_client.exposition import choose_encoder

from mtd.api.http.metric_families import Family, Type

# The loop is given back after this, a third of what anything may hold it.
SLICE_S = 0.003
# Gathered before it is encoded; more than fits into a moment goes to a thread.
CHUNK_CHARS = 256 * 1024
INLINE_CHARS = 32 * 1024

Pick = Callable[[Sequence[Any]], tuple[Any, ...]]


class Format(enum.Enum):
    """What a scraper can read."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    @classmethod
    def accepted(cls, accept: str) -> Format:
        """Return the format that an Accept header asks for."""
        _, content_type = choose_encoder(accept)
        return cls.OPENMETRICS if content_type.startswith("application/openmetrics-text") else cls.TEXT

    @property
    def end(self) -> str:
        """What the exposition ends with."""
        return "# EOF\n" if self is Format.OPENMETRICS else ""


def header(family: Family, style: Format) -> str:
    """Return the lines above the samples of a family."""
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    if style is Format.TEXT:
        kind = Type.GAUGE if family.type is Type.INFO else family.type
        return f"# HELP {family.sample} {text}\n# TYPE {family.sample} {kind}\n"
    text = text.replace('"', r"\"")
    unit = f"# UNIT {family.name} {family.unit}\n" if family.unit else ""
    return f"# TYPE {family.name} {family.type}\n{unit}# HELP {family.name} {text}\n"


def labelled(family: Family, labels: Mapping[str, str]) -> str:
    """Return the beginning of a sample's line, up to the value: ``name{a="b"}``."""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{family.sample}{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """Return a float as both formats write it."""
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


@lru_cache(maxsize=10_000)
def picker(positions: tuple[int, ...]) -> Pick:
    """Return a function that takes the values at these positions; one for all devices with the same layout."""
    if len(positions) == 1:
        only = positions[0]
        return lambda values: (values[only],)
    get: Pick = itemgetter(*positions)
    return get


class Lines:
    """The samples of one family in one poll group of one device, but for their values."""

    __slots__ = ("_divisor", "_pick", "_positions", "_template")

    def __init__(self, divisor: int, positions: tuple[int, ...], template: str) -> None:
        self._divisor = divisor
        self._positions = positions
        self._pick = picker(positions)
        self._template = template

    def of_counters(self, values: Sequence[int], present: bytes) -> str:
        """Return the lines with these counters, exactly; without those that are absent."""
        picked = self._pick(values)
        if not present:
            return self._template % picked
        bits = int.from_bytes(present, "little")
        there = [bits >> position & 1 for position in self._positions]
        return "".join(f"{line % value}\n" for line, value, is_there in self._each(picked, there) if is_there)

    def of_floats(self, values: Sequence[float]) -> str:
        """Return the lines with these values; without those that are absent, which are NaN."""
        picked = self._pick(values)
        if self._divisor != 1:
            picked = tuple([value / self._divisor for value in picked])
        # One sum instead of a look at each: it isn't finite if one of them isn't.
        if math.isfinite(sum(picked)):
            return self._template % picked
        return "".join(
            f"{(line % 0.0).rpartition(' ')[0]} {number(value)}\n"
            for line, value in self._each(picked)
            if not math.isnan(value)
        )

    def _each(self, *columns: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        """Pair the lines with what belongs to them."""
        # No splitlines: a name may hold separators that aren't the end of a line here.
        return zip(self._template.split("\n")[:-1], *columns, strict=True)


class Slices:
    """Tells when the loop has been held for long enough."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = time.perf_counter() + SLICE_S

    @property
    def over(self) -> bool:
        """Whether this slice is used up."""
        return time.perf_counter() > self._until

    async def rest(self) -> None:
        """Let others run; a new slice begins."""
        await asyncio.sleep(0)
        self._until = time.perf_counter() + SLICE_S


class Body:
    """The bytes of an answer, encoded as it grows: a thousand routers make 30 MB of text."""

    def __init__(self, *, gzip: bool) -> None:
        # Level 1: text that repeats itself this much becomes little smaller at ten times the price.
        self._gzip = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS) if gzip else None
        self._texts: list[str] = []
        self._chars = 0
        self._done: list[bytes] = []

    def add(self, text: str) -> None:
        """Add text."""
        self._texts.append(text)
        self._chars += len(text)

    @property
    def full(self) -> bool:
        """Whether it is time to ``encode`` what was added."""
        return self._chars > CHUNK_CHARS

    async def encode(self) -> None:
        """Encode and compress what was added, in a thread if it is much."""
        texts, chars = self._texts, self._chars
        self._texts, self._chars = [], 0
        if chars > INLINE_CHARS:
            await asyncio.to_thread(self._take, texts)
        else:
            self._take(texts)

    def _take(self, texts: list[str]) -> None:
        data = "".join(texts).encode()
        if self._gzip is not None:
            data = self._gzip.compress(data)
        if data:
            self._done.append(data)

    async def finish(self) -> bytes:
        """Return all of it."""
        await self.encode()
        if self._gzip is not None:
            self._done.append(self._gzip.flush())
        return b"".join(self._done)
