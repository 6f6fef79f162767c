"""Taking a log over: whether somebody else has it, what is in its stream, and the message that makes it ours."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtd.core.clock import Clock
from mtd.core.errors import Misconfigured
from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.jetstream.chain import Chain
from mtd.eventlog.jetstream.connection import Connection
from mtd.eventlog.jetstream.errors import NatsAway, StreamGone, WrongSequence
from mtd.eventlog.jetstream.ledger import Ledger
from mtd.eventlog.jetstream.messages import STATE, Assembler, Head, Placed, assemble, check, place_crc
from mtd.eventlog.jetstream.stream import Stream, StreamInfo

logger = logging.getLogger(__name__)

_CALL_TIMEOUT_S = 2.0
_CLAIMS = 5
_STATE_BYTES_AT_ONCE = 16 * 1024 * 1024


def who_we_are() -> str:
    """Return how this process is named to others."""
    return f"{os.getpid()} on {socket.gethostname()}"


async def refuse_if_in_use(connection: Connection, stream: Stream) -> None:
    """Raise Misconfigured if a living process has the log: it answers when it is called."""
    try:
        answer = await connection.request(stream.call_subject, timeout_s=_CALL_TIMEOUT_S)
    except NatsAway:
        return  # nobody, or somebody who is as good as gone and can store nothing more once we begin
    raise Misconfigured(
        f"the event log {stream.name} is in use by process {answer.get('holder', 'unknown')};"
        " stop that mtd, or give this one another event_log.jetstream.name"
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """The books of a stream, and whether they have to be begun: the stream is new."""

    ledger: Ledger
    is_new: bool


async def load(stream: Stream, info: StreamInfo, copy: Path | None, now_us: int = 0) -> Opened:
    """Make the books of a stream: from the copy, if there is a good one, and the headers behind it.

    Raises Misconfigured if what they can't do without is missing.
    """
    kept = await asyncio.to_thread(Ledger.from_copy, copy, info.log_id, info.created) if copy else None
    if kept is not None and not await _still_there(stream, info, kept):
        kept = None
    ledger = kept or Ledger(info.log_id)
    first = max(info.first_message, ledger.last_message + 1)
    state: Placed | None = None
    async for found in _headers(stream, first, info.last_message if info.messages else 0):
        ledger.add(found)
        if found.head.kind == STATE:
            state = found
    if state is not None:
        ledger.restore(await _body(stream, state))
    elif kept is None and info.last_message:
        raise Misconfigured(
            f"the stream {stream.name} has lost the state of its log: restore it from a backup"
            " (`nats stream restore`), or begin another log by event_log.jetstream.name"
        )
    ledger.settle_front(info.first_message)
    ledger.note_gaps(now_us)
    ledger.skip_to(info.last_message)
    return Opened(ledger, is_new=not info.last_message)


async def _headers(stream: Stream, first: int, last: int) -> AsyncIterator[Placed]:
    """Yield what stands between two messages."""
    assembler = Assembler()
    async for message in stream.headers(first, last):
        found = assembler.add(message)
        if found is not None:
            yield found
    if assembler.strangers:
        logger.warning("%d messages in the stream %s are none of mtd's", assembler.strangers, stream.name)


async def _still_there(stream: Stream, info: StreamInfo, ledger: Ledger) -> bool:
    """Whether the message that a copy ends with is in the stream: it could have been put back from a backup."""
    number = ledger.last_message
    if not info.messages or not info.first_message <= number <= info.last_message:
        return False
    found = await stream.read(number, number, _STATE_BYTES_AT_ONCE)
    return bool(found) and found[0].headers.get("Mtd-Uid") == ledger.last_uid


async def _body(stream: Stream, state: Placed) -> dict[str, Any]:
    messages = []
    first = state.first_message
    while first <= state.last_message:
        found = await stream.read(first, state.last_message, _STATE_BYTES_AT_ONCE)
        if not found:
            raise NatsAway(f"the stream {stream.name} doesn't give its state")
        messages += found
        first = found[-1].number + 1
    placed = next(assemble(messages), None)
    if placed is None:
        raise NatsAway(f"the stream {stream.name} doesn't give its state")
    check(placed)
    return json.loads(placed.body)  # type: ignore[no-any-return]


async def claim(chain: Chain, stream: Stream, ledger: Ledger, uid: str, clock: Clock) -> None:
    """Make the log ours: from here on whoever had it before can store nothing more.

    Takes in what was stored while we looked. Raises LogUnavailable.
    """
    for attempt in range(_CLAIMS):
        chain.reset(ledger.last_message, ledger.last_seq)
        head, body = state_message(ledger, f"{uid}.claim{attempt}", clock.now_us())
        await chain.send(head, body)
        try:
            await _confirmed(chain)
        except WrongSequence:
            info = await stream.info()
            async for placed in _headers(stream, ledger.last_message + 1, info.last_message):
                if placed.head.kind == STATE:
                    ledger.restore(await _body(stream, placed))
                ledger.add(placed)
            ledger.skip_to(info.last_message)
            continue
        ledger.add(Placed(head, ledger.last_message + 1, ledger.last_message + head.parts))
        return
    raise LogUnavailable(f"another process goes on writing to the stream {stream.name}")


async def _confirmed(chain: Chain) -> None:
    """Wait for all that was sent."""
    for flight in list(chain.flights):
        try:
            async with asyncio.timeout(max(0.0, chain.left_s)):
                await asyncio.wait(flight.confirmations)
        except TimeoutError:
            raise NatsAway("the stream does not confirm what is sent") from None
    for _ in chain.settled():
        continue


def state_message(ledger: Ledger, uid: str, now_us: int, trimmed_through: int = 0) -> tuple[Head, bytes]:
    """Return a message of state: what the books hold that batches won't tell any more."""
    state = ledger.state() | {"holder": who_we_are()}
    state["trimmed_through"] = max(ledger.trimmed_through, trimmed_through)
    body = json.dumps(state).encode()
    crc = place_crc(0, 0, now_us, zlib.crc32(body))
    return Head(STATE, uid, 0, 0, now_us, crc, len(body)), body


def identify(info: StreamInfo, opened: StreamInfo, ledger: Ledger) -> None:
    """Raise StreamGone unless it is the stream that was opened, with all that it confirmed."""
    if (info.log_id, info.created) != (opened.log_id, opened.created):
        raise StreamGone("the stream was made anew under our feet; start mtd again to go on with the new one")
    if info.last_message < ledger.last_message:
        raise StreamGone(
            f"the stream ends with message {info.last_message}, but {ledger.last_message} was confirmed: its leader"
            " has not caught up, or it was put back from an older copy; if it stays so, start mtd again"
        )
