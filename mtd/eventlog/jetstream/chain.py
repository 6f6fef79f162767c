"""Sending messages ahead of their confirmation, each bound to follow the one before."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtd.eventlog.jetstream.errors import NatsAway, WrongSequence
from mtd.eventlog.jetstream.messages import Head, Placed, cut
from mtd.eventlog.queues import IN_FLIGHT

if TYPE_CHECKING:
    from mtd.eventlog.config import JetStreamConfig
    from mtd.eventlog.jetstream.connection import Connection
    from mtd.eventlog.jetstream.pending import Pending

# Room for headers within the servers' max_payload.
_HEADERS_BYTES = 4096
# What a batch may be cut into at least, however small max_payload is.
_SMALLEST_CHUNK = 1024


@dataclass(slots=True, eq=False)
class Flight:
    """A batch, or a state, that is sent and not confirmed yet; ``pending`` is who waits for it."""

    head: Head
    first_message: int
    confirmations: list[asyncio.Future[dict[str, Any]]]
    since: float
    pending: Pending | None = None

    @property
    def placed(self) -> Placed:
        """Where it is once it is confirmed."""
        return Placed(self.head, self.first_message, self.first_message + self.head.parts - 1)


class Chain:
    """The end of the stream as this process knows and expects it. ``wake`` is called at each confirmation."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        subject: str,
        settings: JetStreamConfig,
        wake: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._subject = subject
        self._settings = settings
        self._wake = wake
        self._last_message = 0
        self._messages = 0
        self._moved = 0.0
        self.flights: deque[Flight] = deque()
        self.last_seq = 0
        self.stored_bytes = 0
        IN_FLIGHT.watch(self, lambda one: one.stored_bytes, lambda one: one._settings.max_in_flight_bytes)

    def reset(self, last_message: int, last_seq: int) -> list[Flight]:
        """Begin anew behind a message and a position; return what was on its way."""
        flights = list(self.flights)
        for flight in flights:
            for confirmation in flight.confirmations:
                confirmation.cancel()
        self.flights.clear()
        self._last_message, self.last_seq = last_message, last_seq
        self._messages = self.stored_bytes = 0
        return flights

    @property
    def has_room(self) -> bool:
        """Whether another batch may be sent ahead."""
        return (
            self._messages < self._settings.max_in_flight_messages
            and self.stored_bytes < self._settings.max_in_flight_bytes
        )

    @property
    def chunk_bytes(self) -> int:
        """How much of a batch one message holds."""
        most = self._connection.max_payload - _HEADERS_BYTES
        return max(_SMALLEST_CHUNK, min(self._settings.chunk_bytes, most))

    def parts_of(self, size: int) -> int:
        """Return how many messages a body takes."""
        return max(1, -(-size // self.chunk_bytes))

    async def send(self, head: Head, body: bytes, pending: Pending | None = None) -> None:
        """Send a batch or a state behind what was sent before; ``settled`` tells of it."""
        flight = Flight(head, self._last_message + 1, [], time.monotonic(), pending)
        self.flights.append(flight)
        self.last_seq = max(self.last_seq, head.last_seq)
        self.stored_bytes += head.stored_bytes
        for part, chunk in enumerate(cut(body, self.chunk_bytes), start=1):
            headers = head.headers(part) | {
                # The first filter; what comes later than the server remembers is told apart by our books.
                "Nats-Msg-Id": f"{head.uid}.{self._last_message}",
                "Nats-Expected-Stream": self._stream,
                "Nats-Expected-Last-Sequence": str(self._last_message),
            }
            confirmation = await self._connection.post(f"{self._subject}.{head.kind}", chunk, headers)
            confirmation.add_done_callback(self._confirmed)
            flight.confirmations.append(confirmation)
            self._last_message += 1
            self._messages += 1

    def _confirmed(self, _: object) -> None:
        self._moved = time.monotonic()
        self._wake()

    def settled(self) -> Iterator[Flight]:
        """Yield what is confirmed, in order. Raises what went wrong with the first that isn't.

        What raised stays among the flights: whether it is stored has to be looked for.
        """
        while self.flights and all(confirmation.done() for confirmation in self.flights[0].confirmations):
            flight = self.flights[0]
            for number, confirmation in enumerate(flight.confirmations, start=flight.first_message):
                answer = confirmation.result()
                if answer.get("seq") != number or answer.get("duplicate"):
                    raise WrongSequence(f"message {number} was stored as {answer.get('seq')}")
            self.flights.popleft()
            self._messages -= len(flight.confirmations)
            self.stored_bytes -= flight.head.stored_bytes
            yield flight
        if self.flights and self.left_s <= 0:
            raise NatsAway(f"no confirmation from the NATS server in {self._settings.request_timeout_s:g} s")

    @property
    def silent_s(self) -> float:
        """How long nothing was confirmed that is waited for; 0 if nothing is."""
        if not self.flights:
            return 0.0
        return time.monotonic() - max(self._moved, self.flights[0].since)

    @property
    def left_s(self) -> float:
        """How long the next confirmation may still take."""
        return self._settings.request_timeout_s - self.silent_s
