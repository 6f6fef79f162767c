"""Long work in small steps, so that everything else of the loop has its turn in between.

Such work is a generator that yields after each step. The same steps run at once
where they are known to be few, and in slices of time where they may be many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

from mtd.core.clock import SYSTEM_CLOCK, Clock

T = TypeVar("T")

SLICE_S = 0.003
"""A slice may run over by one step; what else is ready in the loop adds to what somebody waits."""

Aside: TypeAlias = Callable[[], Any]
Steps: TypeAlias = Generator[Aside | None, Any, T]
"""Yields None after a step. What it yields otherwise is called, in a thread if there are
slices, and its result is sent back: pure work that can't be cut."""


def at_once(steps: Steps[T]) -> T:
    """Run all steps and return the result."""
    try:
        work = next(steps)
        while True:
            if work is None:
                work = next(steps)
                continue
            try:
                answer = work()
            except Exception as error:
                work = steps.throw(error)
            else:
                work = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


async def in_slices(steps: Steps[T], *, slice_s: float = SLICE_S, clock: Clock = SYSTEM_CLOCK) -> T:
    """Run all steps and return the result; the loop has its turn after each slice.

    Who is cancelled meanwhile leaves the work undone.
    """
    began = clock.monotonic()
    try:
        work = next(steps)
        while True:
            if work is not None:
                try:
                    answer = await asyncio.to_thread(work)
                except Exception as error:
                    work = steps.throw(error)
                else:
                    work = steps.send(answer)
                began = clock.monotonic()
                continue
            if clock.monotonic() - began >= slice_s:
                await asyncio.sleep(0)
                began = clock.monotonic()
            work = next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()
