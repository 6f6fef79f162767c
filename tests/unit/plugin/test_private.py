"""Private fields: nothing of them leaves the mapper where the operator wants pseudonyms."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mtd.model.command import Command, Rows
from mtd.model.metric import Tier, Unit
from mtd.model.observation import Observation
from mtd.plugin import (
    Collector,
    Column,
    Gauge,
    Labels,
    Menu,
    RowEvent,
    StateEvent,
    TableKind,
    Tally,
    columns,
)
from mtd.plugin.mapper import DeviceMapper
from mtd.plugin.session_names import without_login
from mtd.security.config import Personal, PrivacyConfig
from mtd.security.keyfile import MasterKey
from mtd.security.pseudonyms import Pseudonyms
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import values_of
from mtd.testing.replies import replies_from, reply

MENU = Menu(
    name="sessions",
    path="/ppp/active",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="session",
    row_key="name",
    scope="session",
    labels=Labels(comment="remark"),
    same_thing=lambda before, now: before.get("caller-id") == now.get("caller-id"),
    fields=(
        Column(
            field="caller-id",
            event=StateEvent(
                event_type="session.moved", entity_type="session", message="{label}: {old} > {new}"
            ),
        ),
        Column(field="host-name", volatile=True),
        *columns("remark", "service"),
    ),
    private=("name", "caller-id", "host-name", "remark"),
    appears=RowEvent(event_type="session.started", entity_type="session", message="{label} came"),
    vanishes=RowEvent(event_type="session.ended", entity_type="session", message="{label} went"),
    tallies=(Tally(key="session.active", description="Sessions.", since="1"),),
)
EGG = Collector(name="ppp", api=1, description="Sessions.", menus=(MENU,))
KEY = MasterKey.of(bytes(range(32)))


def mapper(subscribers: Personal = Personal.HASHED, egg: Collector = EGG) -> DeviceMapper:
    device = make_device()
    pseudonym = Pseudonyms(KEY, PrivacyConfig(subscribers=subscribers)).of(device.tenant_id)
    return DeviceMapper(device, [egg], clock=FakeClock(), pseudonym=pseudonym)


def poll(reader: DeviceMapper, *rows: Mapping[str, Any], at: float = 0.0) -> Observation:
    return reader.observe(Tier.T1, [reply(command, rows, at=at) for command in reader.commands(Tier.T1)])


JOE = {
    "name": "joe.smith",
    "caller-id": "64:D1:54:00:00:01",
    "host-name": "joes-phone",
    "remark": "owes us",
    "service": "pppoe",
}
SECRETS = ("joe", "64:D1", "owes")


def test_kept_fields_are_kept() -> None:
    (change,) = poll(mapper(Personal.KEPT), JOE).tables
    assert change.upserted == {"joe.smith": JOE}


def test_hashed_rows_say_nothing_and_are_known_again() -> None:
    reader = mapper()
    seen = [poll(reader, JOE, at=0.0)]
    assert poll(reader, JOE, at=10.0).tables == []
    seen.append(poll(reader, JOE | {"caller-id": "64:D1:54:00:00:02"}, at=20.0))
    seen.append(poll(reader, at=30.0))
    seen.append(poll(reader, JOE, at=40.0))
    told = repr(seen)
    assert not any(secret in told for secret in SECRETS)
    ((key, row),) = seen[0].tables[0].upserted.items()
    assert row["name"] == key
    assert row["service"] == "pppoe"
    assert [event.event_type for event in seen[1].state_changes] == ["session.ended", "session.started"]
    assert seen[3].state_changes[0].entity_label.startswith("~")
    # After a restart, and on another router of the tenant, it is the same.
    assert set(poll(mapper(), JOE).tables[0].upserted) == {key}


def test_events_of_a_changed_field_tell_pseudonyms() -> None:
    reader = mapper(egg=replace(EGG, menus=(replace(MENU, same_thing=None),)))
    poll(reader, JOE)
    (event,) = poll(reader, JOE | {"caller-id": "64:D1:54:00:00:02"}, at=10.0).state_changes
    assert event.event_type == "session.moved"
    assert event.message == f"{event.entity_label}: {event.old} > {event.new}"
    assert event.old.startswith("~")
    assert event.old != event.new


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=4, max_size=12)


@given(name=names, other=names, caller=names)
def test_hashed_rows_never_hold_the_name(name: str, other: str, caller: str) -> None:
    assume(len({name, other, caller}) == 3)
    reader = mapper()
    rows = [{"name": name, "caller-id": caller}, {"name": other, "caller-id": other}]
    seen = [
        poll(reader, *rows),
        poll(reader, {"name": name, "caller-id": other}, at=10.0),
        poll(reader, *rows, at=20.0),
    ]
    for observation in seen:
        texts = [text for change in observation.tables for text in change.removed]
        for change in observation.tables:
            for key, row in change.upserted.items():
                texts += [key, *row.values()]
        for event in observation.state_changes:
            texts += [event.entity_id, event.entity_label, event.old, event.new]
        assert not {name, other, caller} & set(texts)
        assert all(text.startswith("~") for text in texts if text not in ("", "present"))


def test_a_restored_table_knows_its_rows_by_their_pseudonyms() -> None:
    before = mapper()
    poll(before, JOE)
    (moved,) = poll(before, JOE | {"caller-id": "64:D1:54:00:00:02"}, at=10.0).tables
    after = mapper()
    after.restore_table("session", moved.upserted)
    (first,) = poll(after, JOE | {"caller-id": "64:D1:54:00:00:02"}).tables
    assert first.upserted == moved.upserted
    (again,) = poll(after, JOE | {"caller-id": "64:D1:54:00:00:03"}, at=10.0).tables
    assert [key.partition("@")[2] for key in again.upserted] == ["3"]


def test_what_a_collector_raises_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    def broken(rows: Rows) -> Rows:
        raise ValueError(f"no such subscriber: {rows.column('name')[0]!r}")

    menu = replace(MENU, transform=broken, reads=("name",))
    with caplog.at_level(logging.ERROR):
        observation = poll(mapper(egg=replace(EGG, menus=(menu,))), JOE)
    (event,) = observation.state_changes
    assert event.event_type == "collector.quarantined"
    assert "ValueError" in event.message
    assert "ValueError" in caplog.text
    assert "in broken" in caplog.text
    assert not any(secret in event.message + caplog.text for secret in SECRETS)


def test_private_fields_are_asked_for_as_any_other() -> None:
    (command,) = mapper().commands(Tier.T1)
    assert isinstance(command, Command)
    assert set(command.proplist) == {"name", "caller-id", "host-name", "remark", "service"}


def test_the_login_in_the_name_of_an_interface_is_a_pseudonym_in_any_column() -> None:
    """A neighbour on a session names the subscriber, though nobody thinks of its interface as private."""
    on_session = JOE | {"service": "<pppoe-joe.smith>"}
    (hashed,) = poll(mapper(), on_session).tables
    ((key, row),) = hashed.upserted.items()
    assert row["service"] == f"<pppoe-{key}>"
    assert "joe" not in repr(hashed)
    (kept,) = poll(mapper(Personal.KEPT), on_session).tables
    assert kept.upserted["joe.smith"]["service"] == "<pppoe-joe.smith>"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("<l2tp-joe>", "<l2tp-~>"),
        ("10.0.0.2%<pppoe-joe>", "10.0.0.2%<pppoe-~>"),
        ("<ovpn-a>b>", "<ovpn-~>"),
        ("<pppoe-joe>,<pppoe-jim>", "<pppoe-~>"),
        ("ether1", "ether1"),
        ("a < b", "a < b"),
        ("<see the wiki>", "<see the wiki>"),
    ],
)
def test_only_the_login_of_a_name_is_hidden(text: str, hidden: str) -> None:
    assert without_login(text, lambda _: "~") == hidden


def test_sessions_never_name_series() -> None:
    neighbours = Menu(
        name="neighbours",
        path="/neighbour",
        kind=TableKind.CURRENT_STATE,
        tier=Tier.T1,
        table="neighbour",
        row_key=".id",
        fields=columns("interface"),
        tallies=(
            Tally(
                key="nd.interface_entries",
                description="Entries.",
                since="1",
                by="interface",
                scope="nd",
            ),
        ),
    )
    servers = Menu(
        name="servers",
        path="/server",
        kind=TableKind.METRICS,
        tier=Tier.T1,
        row_key="name",
        scope="server",
        fields=(Gauge(field="load", key="server.load", unit=Unit.COUNT, description="Load.", since="1"),),
    )
    egg = Collector(name="nd", api=1, description="Neighbours.", menus=(neighbours, servers))
    reader = mapper(Personal.KEPT, egg)
    names = ["ether1", "<pppoe-joe>", "<pppoe-jim>", "<l2tp-jane>"]
    menus: dict[str, list[dict[str, str | int]]] = {
        "/neighbour/print": [{".id": f"*{number}", "interface": name} for number, name in enumerate(names)],
        "/server/print": [{"name": name, "load": 1} for name in names],
    }
    found = reader.observe(Tier.T1, replies_from(reader.commands(Tier.T1), menus))
    assert values_of(found.frame) == {
        "nd.interface_entries[<sessions>]": 3,
        "nd.interface_entries[ether1]": 1,
        "server.load[ether1]": 1,
    }
