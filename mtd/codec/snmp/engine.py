"""Our side of the user-based security model: whose messages are believed, and how they are answered (RFC 3414, 3.2).

Of a trap, its sender's engine is the one whose clock counts: what is known of it is learned from messages that are
proven. Of an inform it is ours, which senders ask for first: a report tells them.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mtd.codec.snmp.ber import SEQUENCE, Oid, number, oid, tlv
from mtd.codec.snmp.errors import NoTrap, NotSnmp
from mtd.codec.snmp.message import (
    Scoped,
    Secured,
    read_message,
    read_scoped,
    request_id_in,
    scoped_answer,
    write_secured,
)
from mtd.codec.snmp.pdu import COUNTER32, report, response
from mtd.codec.snmp.usm import (
    DIGEST_BYTES,
    Auth,
    Keys,
    Priv,
    User,
    decrypted,
    digest,
    encrypted,
    is_proven,
    keys_for,
)

WINDOW_S = 150
MOST_BOOTS = (1 << 31) - 1
_MOST_ENGINES, _MOST_KEYS = 20_000, 20_000
_USM_STATS: Oid = (1, 3, 6, 1, 6, 3, 15, 1, 1)


class Reason(enum.StrEnum):
    """Why a message isn't believed."""

    WRONG_LEVEL = "wrong_level"
    NOT_IN_TIME_WINDOW = "not_in_time_window"
    UNKNOWN_USER = "unknown_user"
    UNKNOWN_ENGINE = "unknown_engine"
    WRONG_DIGEST = "wrong_digest"
    UNDECRYPTABLE = "undecryptable"


# The counters of the standard, which reports tell of.
_STATS = {reason: number for number, reason in enumerate(Reason, 1)}


class Unproven(Exception):
    """A message that isn't believed. ``asks``: its sender only asks for what it has to know of us."""

    def __init__(self, reason: Reason, *, asks: bool = False) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.asks = asks


@dataclass(slots=True)
class _Known:
    """The clock of an engine: how often it started, its highest time, and when that came; None: before we started."""

    boots: int
    time: int
    at: float | None


class Engine:
    """One receiver. ``known``: boots and time of engines, as ``remembered`` gave them. Times are monotonic seconds."""

    def __init__(
        self,
        engine_id: bytes,
        boots: int,
        started: float,
        known: Mapping[bytes, tuple[int, int]] | None = None,
    ) -> None:
        self.engine_id = engine_id
        self.boots = boots
        self._started = started
        self._known = OrderedDict(
            (engine, _Known(of, time, None)) for engine, (of, time) in (known or {}).items()
        )
        self._keys: OrderedDict[tuple[User, bytes], Keys] = OrderedDict()
        self._counts = dict.fromkeys(Reason, 0)

    def remembered(self) -> dict[bytes, tuple[int, int]]:
        """Return the clocks that are known: who plays an old message again after our restart isn't believed."""
        return {engine: (known.boots, known.time) for engine, known in self._known.items()}

    def time(self, now: float) -> int:
        """Return the seconds since we started."""
        return int(now - self._started)

    # -- what came -----------------------------------------------------------------

    def open(self, message: Secured, user: User | None, now: float) -> Scoped:
        """Return what a message tells, if it is proven. Raises Unproven; NoTrap, NotSnmp for what isn't a trap.

        ``user``: who it says that it is, None if that is nobody.
        """
        try:
            return self._opened(message, user, now)
        except Unproven as unproven:
            self._counts[unproven.reason] += 1
            raise

    def _opened(self, message: Secured, user: User | None, now: float) -> Scoped:
        ours = message.engine_id == self.engine_id
        if not 5 <= len(message.engine_id) <= 32 or (message.reportable and not ours):
            raise Unproven(Reason.UNKNOWN_ENGINE, asks=message.reportable)
        if user is None:
            raise Unproven(Reason.UNKNOWN_USER)
        if message.authenticated != (user.auth is not Auth.NONE):
            raise Unproven(Reason.WRONG_LEVEL)
        if not message.authenticated:
            return read_scoped(message.data)
        keys = self._keys_of(user, message.engine_id)
        if not is_proven(user.auth, keys.auth, message.whole, message.digest_at, message.digest):
            raise Unproven(Reason.WRONG_DIGEST)
        if ours:
            self._check_our_time(message, now)
        else:
            self._check_their_time(message, now)
        if message.encrypted != (user.priv is not Priv.NONE):
            raise Unproven(Reason.WRONG_LEVEL)
        return self._decrypted(message, user, keys) if message.encrypted else read_scoped(message.data)

    @staticmethod
    def _decrypted(message: Secured, user: User, keys: Keys) -> Scoped:
        try:
            data = decrypted(user.priv, keys.priv, message.boots, message.time, message.salt, message.data)
            return read_scoped(data)
        except NoTrap:
            raise
        except NotSnmp:  # the wrong key makes noise of it
            raise Unproven(Reason.UNDECRYPTABLE) from None

    def _check_our_time(self, message: Secured, now: float) -> None:
        apart = abs(self.time(now) - message.time)
        if message.boots != self.boots or apart > WINDOW_S or self.boots >= MOST_BOOTS:
            raise Unproven(Reason.NOT_IN_TIME_WINDOW, asks=message.boots == 0 == message.time)

    def _check_their_time(self, message: Secured, now: float) -> None:
        known = self._known.get(message.engine_id)
        if known is None or (message.boots, message.time) > (known.boots, known.time):
            known = self._known[message.engine_id] = _Known(message.boots, message.time, now)
            if len(self._known) > _MOST_ENGINES:
                self._known.popitem(last=False)
        self._known.move_to_end(message.engine_id)
        theirs = known.time + (0.0 if known.at is None else now - known.at)
        if (
            known.boots >= MOST_BOOTS
            or message.boots < known.boots
            or (message.boots == known.boots and message.time < theirs - WINDOW_S)
        ):
            raise Unproven(Reason.NOT_IN_TIME_WINDOW)

    def _keys_of(self, user: User, engine_id: bytes) -> Keys:
        keys = self._keys.get((user, engine_id))
        if keys is None:
            keys = self._keys[user, engine_id] = keys_for(user, engine_id)
            if len(self._keys) > _MOST_KEYS:
                self._keys.popitem(last=False)
        self._keys.move_to_end((user, engine_id))
        return keys

    # -- what goes back ------------------------------------------------------------

    def report(self, message: Secured, user: User | None, reason: Reason, now: float) -> bytes | None:
        """Return what tells the sender why it isn't believed; None if it doesn't want to know."""
        if not message.reportable:
            return None
        counter = tlv(
            SEQUENCE,
            oid((*_USM_STATS, _STATS[reason], 0)),
            tlv(COUNTER32, number(self._counts[reason])),
        )
        pdu = scoped_answer(self.engine_id, b"", report(request_id_in(message), counter))
        # That the time is wrong is told to who has proven who it is, in a form that it can believe.
        signer = user if reason is Reason.NOT_IN_TIME_WINDOW else None
        return self._written(replace(message, encrypted=False), signer, pdu, now)

    def answer(self, message: Secured, user: User, scoped: Scoped, now: float) -> bytes:
        """Return the answer to an inform, as well secured as that was."""
        pdu = response(scoped.pdu.request_id, scoped.pdu.raw_bindings)
        return self._written(message, user, scoped_answer(scoped.engine_id, scoped.name, pdu), now)

    def _written(self, asked: Secured, user: User | None, pdu: bytes, now: float) -> bytes:
        time, salt, data = self.time(now), b"", pdu
        keys = None if user is None or user.auth is Auth.NONE else self._keys_of(user, self.engine_id)
        if user is not None and keys is not None and asked.encrypted:
            salt, data = encrypted(user.priv, keys.priv, self.boots, time, pdu)
        written = write_secured(
            replace(
                asked,
                authenticated=keys is not None,
                encrypted=bool(salt),
                reportable=False,
                engine_id=self.engine_id,
                boots=self.boots,
                time=time,
                digest=b"" if user is None or keys is None else bytes(DIGEST_BYTES[user.auth]),
                salt=salt,
                data=data,
            )
        )
        return written if user is None or keys is None else _signed(user.auth, keys.auth, written)


def _signed(auth: Auth, key: bytes, blank: bytes) -> bytes:
    read = read_message(blank)
    assert isinstance(read, Secured)
    at, length = read.digest_at, DIGEST_BYTES[auth]
    return b"".join((blank[:at], digest(auth, key, blank), blank[at + length :]))
