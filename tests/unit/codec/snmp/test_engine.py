"""Whose messages are believed, and what those are told that aren't."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtd.codec.snmp import Auth, Engine, Priv, Secured, Unproven, User, read_message
from mtd.codec.snmp.ber import Reader, integer, oid, tlv
from mtd.codec.snmp.engine import WINDOW_S, Reason
from mtd.codec.snmp.errors import NoTrap
from mtd.codec.snmp.message import read_scoped, scoped_answer, write_secured
from mtd.codec.snmp.usm import DIGEST_BYTES, decrypted, digest, encrypted, is_proven, keys_for
from tests.unit.codec.snmp import samples

OURS = b"\x80\0\0\0\x05mtd"
COLD_START = (1, 3, 6, 1, 6, 3, 1, 1, 5, 1)
SHA = samples.user(Auth.SHA1)
SHA_AES = samples.user(Auth.SHA1, Priv.AES)
SCOPED = tlv(
    0xA7,
    integer(5),
    integer(0),
    integer(0),
    tlv(0x30, tlv(0x30, oid((1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)), oid(COLD_START))),
)
INFORM = b"\xa6" + SCOPED[1:]
GET = b"\xa0" + SCOPED[1:]


def engine(before: tuple[int, int] | None = None) -> Engine:
    return Engine(OURS, 3, 0.0, {} if before is None else {samples.ENGINE: before})


def secured(data: bytes) -> Secured:
    message = read_message(data)
    assert isinstance(message, Secured)
    return message


def written(
    user: User,
    *,
    boots: int = 7,
    time: int = 3600,
    engine_id: bytes = samples.ENGINE,
    pdu: bytes = SCOPED,
    reportable: bool = False,
) -> Secured:
    """Return a message as a sender writes it."""
    keys, salt, data = keys_for(user, engine_id), b"", scoped_answer(engine_id, b"", pdu)
    if user.priv is not Priv.NONE:
        salt, data = encrypted(user.priv, keys.priv, boots, time, data)
    has_auth = user.auth is not Auth.NONE
    blank = secured(
        write_secured(
            Secured(
                9, has_auth, bool(salt), reportable, engine_id, boots, time, user.name,
                bytes(DIGEST_BYTES[user.auth]), salt, data,
            )
        )
    )  # fmt: skip
    if not has_auth:
        return blank
    at, made = blank.digest_at, digest(user.auth, keys.auth, blank.whole)
    return secured(blank.whole[:at] + made + blank.whole[at + len(made) :])


def refused(receiver: Engine, message: Secured, user: User | None, now: float = 0.0) -> Unproven:
    with pytest.raises(Unproven) as caught:
        receiver.open(message, user, now)
    return caught.value


@pytest.mark.parametrize(
    ("data", "user"),
    [
        (samples.V3_OPEN, samples.user()),
        (samples.V3_MD5_DES, samples.user(Auth.MD5, Priv.DES)),
        (samples.V3_SHA_AES, SHA_AES),
        (samples.V3_SHA512, samples.user(Auth.SHA512)),
    ],
)
def test_who_proves_it_is_believed(data: bytes, user: User) -> None:
    told = engine().open(secured(data), user, 0.0).pdu.notification
    assert told.trap[:-1] == COLD_START[:-1]
    assert told.uptime == 4200


@pytest.mark.parametrize(
    ("data", "user", "reason"),
    [
        (samples.V3_SHA_AES, None, Reason.UNKNOWN_USER),
        (samples.V3_SHA_AES, samples.user(Auth.SHA1, Priv.AES, "authpass2"), Reason.WRONG_DIGEST),
        (samples.V3_SHA_AES, samples.user(Auth.SHA256, Priv.AES), Reason.WRONG_DIGEST),
        (samples.V3_SHA_AES, samples.user(), Reason.WRONG_LEVEL),
        (samples.V3_SHA_AES, SHA, Reason.WRONG_LEVEL),
        (samples.V3_SHA_AES, replace(SHA_AES, priv_key=bytes(20)), Reason.UNDECRYPTABLE),
        (samples.V3_SHA_AES, replace(SHA_AES, priv=Priv.DES), Reason.UNDECRYPTABLE),
        # Who only knows the name of a user that proves itself is nobody.
        (samples.V3_OPEN, SHA, Reason.WRONG_LEVEL),
        (samples.V3_SHA512, samples.user(Auth.SHA512, Priv.AES), Reason.WRONG_LEVEL),
        (samples.V3_DISCOVERY, None, Reason.UNKNOWN_ENGINE),
    ],
)
def test_nobody_else_is(data: bytes, user: User | None, reason: Reason) -> None:
    assert refused(engine(), secured(data), user).reason is reason


def test_any_bit_that_is_changed_makes_it_unproven() -> None:
    receiver = engine()
    for place in range(len(samples.V3_SHA512)):
        changed = bytearray(samples.V3_SHA512)
        changed[place] ^= 1
        try:
            message = read_message(bytes(changed))
        except ValueError:
            continue
        if isinstance(message, Secured):
            refused(receiver, message, samples.user(Auth.SHA512))


# -- replays -----------------------------------------------------------------------


def test_what_is_older_than_what_came_is_not_believed() -> None:
    receiver = engine()
    receiver.open(written(SHA, boots=7, time=3600), SHA, 100.0)
    # 50 s later its clock must have gone on by about as much.
    receiver.open(written(SHA, boots=7, time=3600 + 50 - WINDOW_S), SHA, 150.0)
    late = written(SHA, boots=7, time=3600 + 50 - WINDOW_S - 1)
    assert refused(receiver, late, SHA, 150.0).reason is Reason.NOT_IN_TIME_WINDOW
    before = written(SHA, boots=6, time=999_999)
    assert refused(receiver, before, SHA, 150.0).reason is Reason.NOT_IN_TIME_WINDOW
    receiver.open(written(SHA, boots=8, time=0), SHA, 160.0)
    assert refused(receiver, written(SHA, boots=7, time=3700), SHA, 160.0).reason is Reason.NOT_IN_TIME_WINDOW


def test_what_is_not_proven_sets_no_clock() -> None:
    receiver = engine()
    other = samples.user(Auth.SHA1, password="authpass2")
    assert refused(receiver, written(other, boots=99), SHA).reason is Reason.WRONG_DIGEST
    receiver.open(written(samples.user(), boots=99), samples.user(), 0.0)
    assert receiver.remembered() == {}
    receiver.open(written(SHA, boots=7), SHA, 0.0)
    assert receiver.remembered() == {samples.ENGINE: (7, 3600)}


def test_clocks_outlive_a_restart() -> None:
    receiver = engine(before=(7, 3600))
    for boots, time in ((7, 3600 - WINDOW_S - 1), (6, 9999)):
        late = written(SHA, boots=boots, time=time)
        assert refused(receiver, late, SHA).reason is Reason.NOT_IN_TIME_WINDOW
    receiver.open(written(SHA, boots=7, time=3600), SHA, 5000.0)
    receiver.open(written(SHA, boots=7, time=9000), SHA, 5000.0)


def test_an_engine_that_ran_out_of_starts_is_not_believed() -> None:
    last = written(SHA, boots=2**31 - 1)
    assert refused(engine(), last, SHA).reason is Reason.NOT_IN_TIME_WINDOW


# -- informs -----------------------------------------------------------------------


def answered(receiver: Engine, message: Secured, user: User, now: float = 10.0) -> Secured:
    scoped = receiver.open(message, user, now)
    return secured(receiver.answer(message, user, scoped, now))


@pytest.mark.parametrize("user", [samples.user(), SHA, SHA_AES, samples.user(Auth.MD5, Priv.DES)])
def test_an_inform_is_answered_as_well_secured_as_it_came(user: User) -> None:
    asked = written(user, engine_id=OURS, boots=3, time=10, pdu=INFORM, reportable=True)
    answer = answered(engine(), asked, user)
    assert (answer.engine_id, answer.boots, answer.time, answer.user) == (OURS, 3, 10, b"noc")
    assert (answer.message_id, answer.reportable) == (9, False)
    assert (answer.authenticated, answer.encrypted) == (asked.authenticated, asked.encrypted)
    keys, data = keys_for(user, OURS), answer.data
    if answer.authenticated:
        assert is_proven(user.auth, keys.auth, answer.whole, answer.digest_at, answer.digest)
    if answer.encrypted:
        data = decrypted(user.priv, keys.priv, 3, 10, answer.salt, data)
    with pytest.raises(NoTrap):  # it is an answer
        read_scoped(data)
    assert tlv(0xA2, SCOPED[2:]) in data


def stat_in(data: bytes) -> tuple[int, int]:
    """Return which counter a report tells, and its value."""
    reader = Reader(data).inside(0x30)
    reader.content(0x04)
    reader.content(0x04)
    pdu = reader.inside(0xA8)
    for _ in range(3):
        pdu.number()
    pair = pdu.inside(0x30).inside(0x30)
    name = pair.oid()
    assert name[:-2] == (1, 3, 6, 1, 6, 3, 15, 1, 1)
    return name[-2], int.from_bytes(pair.content(0x41), "big")


def test_who_asks_is_told_who_we_are() -> None:
    receiver, asked = engine(), secured(samples.V3_DISCOVERY)
    for count in (1, 2):
        unproven = refused(receiver, asked, None, 10.0)
        assert unproven.asks
        told = receiver.report(asked, None, unproven.reason, 10.0)
        assert told is not None
        answer = secured(told)
        assert (answer.engine_id, answer.boots, answer.time) == (OURS, 3, 10)
        assert (answer.authenticated, answer.message_id) == (False, asked.message_id)
        assert stat_in(answer.data) == (4, count)


def test_who_has_the_wrong_time_is_told_the_right_one_in_a_form_it_can_believe() -> None:
    receiver = engine()
    asked = written(SHA_AES, engine_id=OURS, boots=0, time=0, pdu=INFORM, reportable=True)
    unproven = refused(receiver, asked, SHA_AES, 10.0)
    assert (unproven.reason, unproven.asks) == (Reason.NOT_IN_TIME_WINDOW, True)
    told = receiver.report(asked, SHA_AES, unproven.reason, 10.0)
    assert told is not None
    answer = secured(told)
    key = keys_for(SHA_AES, OURS).auth
    assert is_proven(Auth.SHA1, key, answer.whole, answer.digest_at, answer.digest)
    assert (answer.boots, answer.time, answer.encrypted) == (3, 10, False)
    assert stat_in(answer.data)[0] == 2


@pytest.mark.parametrize(("boots", "time"), [(2, 10), (4, 10), (3, 10 + WINDOW_S + 1)])
def test_an_inform_of_another_time_is_not_believed(boots: int, time: int) -> None:
    asked = written(SHA, engine_id=OURS, boots=boots, time=time, pdu=INFORM, reportable=True)
    unproven = refused(engine(), asked, SHA, 10.0)
    assert (unproven.reason, unproven.asks) == (Reason.NOT_IN_TIME_WINDOW, False)


def test_who_wants_no_report_gets_none() -> None:
    receiver, message = engine(), secured(samples.V3_SHA_AES)
    assert receiver.report(message, None, refused(receiver, message, None).reason, 0.0) is None


def test_a_request_that_is_proven_tells_of_nothing() -> None:
    with pytest.raises(NoTrap):
        engine().open(written(SHA, pdu=GET), SHA, 0.0)
    with pytest.raises(NoTrap):
        engine().open(written(SHA_AES, pdu=GET), SHA_AES, 0.0)


def test_keys_and_clocks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_MOST_KEYS", "_MOST_ENGINES"):
        monkeypatch.setattr(f"mtd.codec.snmp.engine.{name}", 5)
    receiver = engine()
    for number in range(20):
        receiver.open(written(SHA, engine_id=b"\x80\0\0\0%c" % number), SHA, 0.0)
    assert len(receiver.remembered()) == 5
    assert len(receiver._keys) == 5
