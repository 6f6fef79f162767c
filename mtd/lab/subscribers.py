"""The subscribers of a concentrator: who has a session or a lease at each tick.

Pure functions of the tick, as everything in the truth. A number of places is
always taken. With each step of time the same number of them changes hands, place
after place in turn, so that anybody can work out who is where: of 20,000 sessions
with 1 % churn each 10 s, 200 end every 10 s and 200 begin.

Every second time the same subscriber comes back, as one whose line failed for a
moment: with a new session, and another address. Of those who come at a time, half
are such.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.wave import mix, text_key

_FIRST_SESSION_ID = 0x80000000
_FIRST_LEASE_ID = 0x1000
# Those who were there before the start began at one of so many moments: the lab formats each age once.
_EARLIER_MOMENTS = 1_000
_EARLIER_STEP_S = 97
_WAITING_EVERY = 20
LEASE_S = 600
RENEW_S = LEASE_S // 2


@dataclass(frozen=True, slots=True)
class Churn:
    """Places that change hands: ``per_step`` of them each ``step_ticks``, in turn."""

    places: int
    per_step: int
    step_ticks: int

    def hands(self, tick: int) -> tuple[int, int]:
        """Return how often all places changed hands, and how many of the first ones did once more."""
        return divmod(self.per_step * (tick // self.step_ticks), self.places) if self.places else (0, 0)

    def since_step(self, place: int, generation: int) -> int:
        """Return the step with which a generation, not the first, took a place."""
        return (place + (generation - 1) * self.places) // self.per_step + 1

    def holders(self, tick: int) -> Iterator[tuple[int, int]]:
        """Yield (place, generation), those who are there longest first."""
        rounds, ahead = self.hands(tick)
        yield from ((place, rounds) for place in range(ahead, self.places))
        yield from ((place, rounds + 1) for place in range(ahead))


@dataclass(frozen=True, slots=True)
class Session:
    """A PPPoE session. ``since_s``: seconds after the start of the lab, below 0 before it."""

    id: str
    name: str
    caller_id: str
    address: str
    session_id: str
    since_s: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A DHCP lease; without ``bound`` the client isn't there, and the address waits for it."""

    id: str
    address: str
    mac_address: str
    host_name: str
    server: str
    bound: bool
    since_s: int


class Subscribers:
    """Sessions and leases of one router."""

    def __init__(self, sessions: int, leases: int, churn_pct: float, every_s: float, key: int) -> None:
        step = max(1, round(every_s * TICKS_PER_S))
        self.session_churn = Churn(sessions, round(sessions * churn_pct / 100), step)
        self.lease_churn = Churn(leases, round(leases * churn_pct / 100), step)
        self._key = mix(key, text_key("subscribers"))

    def sessions(self, tick: int) -> list[Session]:
        """Return the sessions at a tick, in the router's order."""
        return [self.session(*holder) for holder in self.session_churn.holders(tick)]

    def leases(self, tick: int) -> list[Lease]:
        """Return the leases at a tick, in the router's order."""
        return [self.lease(*holder) for holder in self.lease_churn.holders(tick)]

    def session(self, place: int, generation: int) -> Session:
        """Return the session that had a place in a generation."""
        churn = self.session_churn
        number = place + churn.places * generation
        person = place + churn.places * _person(place, generation)
        host = place + churn.places * (generation % 2)
        return Session(
            id=f"*{_FIRST_SESSION_ID + number:X}",
            name=f"user{person:06}@isp.example",
            caller_id=self._mac(person),
            address=f"100.{64 + (host >> 16)}.{host >> 8 & 255}.{host & 255}",
            session_id=f"0x{0x81100000 + number:X}",
            since_s=self._since_s(churn, place, generation),
        )

    def lease(self, place: int, generation: int) -> Lease:
        """Return the lease that had a place in a generation. Leases that wait are there for ever."""
        churn = self.lease_churn
        waits = place % _WAITING_EVERY == 0
        generation = 0 if waits else generation
        person = place + churn.places * _person(place, generation)
        host = place + churn.places * (generation % 2)
        return Lease(
            id=f"*{_FIRST_LEASE_ID + place + churn.places * generation:X}",
            address=f"10.{64 + (host >> 16)}.{host >> 8 & 255}.{host & 255}",
            mac_address=self._mac(1 << 32 | person),
            host_name="" if person % 7 == 0 else f"host-{mix(self._key, 5, person) & 0xFFFFFF:06x}",
            server=f"dhcp{place % 4 + 1}",
            bound=not waits,
            since_s=self._since_s(churn, place, generation),
        )

    def _since_s(self, churn: Churn, place: int, generation: int) -> int:
        if generation == 0:
            return -(1 + mix(self._key, 7, place) % _EARLIER_MOMENTS) * _EARLIER_STEP_S
        return churn.since_step(place, generation) * churn.step_ticks // TICKS_PER_S

    def _mac(self, person: int) -> str:
        low = mix(self._key, 3, person)
        return ":".join(("D0", "D0", "4B", *(f"{low >> shift & 255:02X}" for shift in (16, 8, 0))))


def _person(place: int, generation: int) -> int:
    """Return the how many-th person has a place: two generations are one person's."""
    return (generation + place % 2) // 2


def last_seen_s(since_s: int, now_s: int) -> int:
    """Return how long ago a client that is there was heard of, in seconds: it renews at half of its time."""
    return (now_s - since_s) % RENEW_S
