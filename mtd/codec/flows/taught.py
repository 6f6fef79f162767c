"""The templates of one domain: who taught which, so that a sender can't have the records of another read by its own.

Over UDP an exporter is an address, and whoever can send in its name. What tells senders apart is the port that they
send from (RFC 7011, 10.3.7): who taught a number another layout is read by its own, and so is who had taught it
before. For all others, such as an exporter that sends from many ports, one of them holds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, replace
from typing import NamedTuple

from mtd.codec.flows.templates import RecordFormat, Template

ANY_PORT = 0
"""Of what was taught by nobody knows whom, and of who doesn't say where it sends from."""

# Who is silent for so long may send from another port now; for so much longer, it certainly does.
_SILENT_US = 60 * 1_000_000
_GONE_US = 3600 * 1_000_000
_MOST_OWN = 64
_MOST_OF_NEWCOMER = 16  # of a port that needs room; from then on it gives way itself
_MOST_SENDERS = 1024


@dataclass(slots=True)
class Sender:
    """A port that taught something: when it was heard last, and what its messages said of themselves.

    ``uptime_ms`` and ``sequence`` aren't known where it is remembered from before, ``booted_ms`` is only there.
    ``exported_s``: when the message of the number was sent, by its clock.
    """

    heard_us: int
    uptime_ms: int | None = None
    sequence: int | None = None
    exported_s: int = 0
    booted_ms: int = 0


class Lesson(NamedTuple):
    """A template, and the port that taught it."""

    template: Template
    port: int = ANY_PORT


class Taught:
    """Formats by their numbers. ``fields``: of all of them together.

    ``conflicts``: how often a number that was in use got another layout, with no sign that the exporter began anew.
    ``dropped``: how many gave way to others.
    """

    def __init__(self) -> None:
        self.fields = 0
        self.conflicts = 0
        self.dropped = 0
        self._common: dict[int, RecordFormat] = {}
        self._teachers: dict[int, int] = {}  # ports, by number
        self._numbers: dict[int, OrderedDict[int, None]] = {}  # of each teacher
        # By port: what it has other than all. None of them is empty.
        self._own: dict[int, OrderedDict[int, RecordFormat]] = {}
        self._owned = 0
        self._senders: dict[int, Sender] = {}  # by port: those that taught something
        self._withdrew: tuple[int, set[bool]] = (ANY_PORT, set())  # who has no options left, or no others

    def __len__(self) -> int:
        return len(self._common)

    @property
    def has_own(self) -> bool:
        """Whether a port is read in another way than others."""
        return bool(self._own)

    def sender(self, port: int) -> Sender | None:
        """Return who sends from a port, if that taught something."""
        return self._senders.get(port)

    def find(self, port: int, number: int) -> RecordFormat | None:
        """Return how to read records that came from a port."""
        if self._own and (own := self._own_of(port, number)) is not None:
            return own
        return self._common.get(number)

    def learn(self, port: int, template: Template, now_us: int) -> bool:
        """Take a template that came from a port; return whether it is news."""
        number = template.number
        self._note(port, now_us)
        own, common = self._own_of(port, number), self._common.get(number)
        known = own or common
        if common is None:
            self._drop_own(port, number)
            self._put_common(port, RecordFormat(template))
        elif self._holds_for_all(port, number, now_us):
            self._drop_own(port, number)
            self._put_common(port, common if common.template == template else RecordFormat(template))
        elif own is None or own.template != template:
            # Though it is what all have: who taught it may teach something else.
            self._put_own(port, common if common.template == template else RecordFormat(template))
        if known is None or known.template != template:
            self.conflicts += known is not None
            return True
        return False

    def _holds_for_all(self, port: int, number: int, now_us: int) -> bool:
        """Return whether what a port teaches holds for those that teach nothing: its own number, or of who is silent."""
        teacher = self._teachers[number]
        if teacher in (ANY_PORT, port):
            return True
        if not self._is_silent(teacher, now_us, _SILENT_US):
            return False
        # The exporter may send from another port now. If it doesn't, what it taught still holds for itself.
        self._put_own(teacher, self._common[number])
        return True

    def begin_anew(self, port: int, now_us: int) -> None:
        """Forget what the exporter taught before it was started again. Who else taught goes on reading its own."""
        others = False
        for number, known in list(self._common.items()):
            teacher = self._teachers[number]
            if teacher not in (ANY_PORT, port) and not self._is_silent(teacher, now_us, _GONE_US):
                self._put_own(teacher, known)
                others |= not self._is_silent(teacher, now_us, _SILENT_US)
            self._drop_common(number)
        self.conflicts += others  # who says that it was started isn't who was heard just now
        for number in list(self._own.get(port, ())):
            self._drop_own(port, number)

    def withdraw(self, port: int, number: int) -> None:
        """Forget a number that a port taught, or nobody knows who."""
        self._drop_own(port, number)
        if self._teachers.get(number) in (ANY_PORT, port):
            self._drop_common(number)

    def withdraw_all(self, port: int, *, options: bool) -> None:
        """Forget all that a port taught, or nobody knows who: options, or all others."""
        # A datagram may say that a thousand times.
        if self._withdrew[0] != port:
            self._withdrew = (port, set())
        if options in self._withdrew[1]:
            return
        self._withdrew[1].add(options)
        own, common = self._own.get(port, ()), self._common
        for number in [*own, *self._numbers.get(port, ()), *self._numbers.get(ANY_PORT, ())]:
            known = self._own_of(port, number) or common.get(number)
            if known is not None and bool(known.template.scopes) is options:
                self.withdraw(port, number)

    def remember(self, lessons: Iterable[Lesson], sender: Sender) -> None:
        """Know what was known before, but for numbers that were taught since. ``sender``: what is known of all ports."""
        since = set(self._common)
        for template, port in lessons:
            common = self._common.get(template.number)
            if template.number in since:
                continue
            if common is None:
                self._put_common(port, RecordFormat(template))
            elif port not in (ANY_PORT, self._teachers[template.number]):
                self._put_own(port, common if common.template == template else RecordFormat(template))
            if port != ANY_PORT:
                self._senders.setdefault(port, replace(sender))

    def lessons(self) -> Iterator[Lesson]:
        """Yield what is to be remembered, by number: of several layouts that of the port that was heard last is the first."""
        taught = {
            number: [Lesson(known.template, self._teachers[number])] for number, known in self._common.items()
        }
        for port, own in self._own.items():
            for number, known in own.items():
                if number in taught:
                    taught[number].append(Lesson(known.template, port))
        for _, found in sorted(taught.items()):
            yield from sorted(found, key=lambda one: -self._heard_us(one.port))

    @property
    def heard_us(self) -> int:
        """When one that taught something was heard last; 0 if there is none."""
        return max((sender.heard_us for sender in self._senders.values()), default=0)

    def drop_one(self, port: int = ANY_PORT) -> None:
        """Make room for a port: what nobody else is read by goes first. There must be one."""
        if self._own:
            self._drop_one_own(port)
        else:
            self.drop_one_of_all(port)

    def drop_one_of_all(self, port: int) -> None:
        """Make room for a port among what all are read by: of its own if it has many, else of who is silent for longest."""
        self.dropped += 1
        teacher = self._who_gives_way(port, self._numbers)
        self._drop_common(next(iter(self._numbers[teacher])))

    def _drop_one_own(self, port: int) -> None:
        owner = self._who_gives_way(port, self._own)
        number = next(iter(self._own[owner]))
        self.dropped += self._own[owner][number] is not self._common.get(number)
        self._drop_own(owner, number)

    def _who_gives_way(self, port: int, kept: Mapping[int, Sized]) -> int:
        if port in kept and len(kept[port]) > _MOST_OF_NEWCOMER:
            return port
        return min(kept, key=self._heard_us)

    # -- how it is kept ----------------------------------------------------------------

    def _note(self, port: int, now_us: int) -> None:
        sender = self._senders.get(port)
        if sender is not None:
            sender.heard_us = now_us
            return
        self._senders[port] = Sender(now_us)
        if len(self._senders) > _MOST_SENDERS:
            of_use = {port, *self._teachers.values(), *self._own}
            self._senders = {one: sender for one, sender in self._senders.items() if one in of_use}

    def _heard_us(self, port: int) -> int:
        sender = self._senders.get(port)
        return 0 if sender is None else sender.heard_us

    def _is_silent(self, port: int, now_us: int, for_us: int) -> bool:
        return now_us - self._heard_us(port) > for_us

    def _put_common(self, port: int, known: RecordFormat) -> None:
        number = known.template.number
        self._withdrew[1].clear()
        self._drop_common(number)
        self._common[number] = known
        self._set_teacher(number, port)
        self.fields += len(known.template.fields)

    def _put_own(self, port: int, known: RecordFormat) -> None:
        self._withdrew[1].clear()
        self._drop_own(port, known.template.number)
        if self._owned >= _MOST_OWN:
            self._drop_one_own(port)
        self._own.setdefault(port, OrderedDict())[known.template.number] = known
        self._owned += 1
        self.fields += len(known.template.fields)

    def _drop_common(self, number: int) -> None:
        known = self._common.pop(number, None)
        if known is not None:
            self._set_teacher(number, None)
            self.fields -= len(known.template.fields)

    def _set_teacher(self, number: int, port: int | None) -> None:
        before = self._teachers.pop(number, None)
        if before is not None:
            numbers = self._numbers[before]
            del numbers[number]
            if not numbers:
                del self._numbers[before]
        if port is not None:
            self._teachers[number] = port
            self._numbers.setdefault(port, OrderedDict())[number] = None

    def _own_of(self, port: int, number: int) -> RecordFormat | None:
        own = self._own.get(port)
        return None if own is None else own.get(number)

    def _drop_own(self, port: int, number: int) -> None:
        own = self._own.get(port)
        known = None if own is None else own.pop(number, None)
        if own is None or known is None:
            return
        if not own:
            del self._own[port]
        self._owned -= 1
        self.fields -= len(known.template.fields)
