"""What a worker makes of datagrams: those of known exporters only, everything else counted."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.flows import Field, Learned, Template
from mtd.codec.flows.block import MOST_RECORDS
from mtd.listeners.flows.config import ExporterConfig, FlowsConfig
from mtd.listeners.flows.ledger import HELD, Ledger, numbers_for
from mtd.listeners.flows.memory import path_of, read_learned, write_learned
from mtd.listeners.flows.receiver import Receiver
from mtd.listeners.udp import Received
from mtd.model.flows import FlowPortion
from tests.unit.codec.flows import kit

A, B, C = "192.0.2.1", "192.0.2.2", "2001:db8::3"
NOW_US = 1_700_000_000_000_000
TEMPLATE = kit.set_of(0, kit.template(256, (1, 4), (2, 4)))
OTHER = kit.set_of(0, kit.template(257, (1, 4), (2, 4)))
OTHER_ROWS = kit.set_of(257, struct.pack(">II", 1000, 1))


def rows(*pairs: tuple[int, int]) -> bytes:
    return kit.set_of(256, b"".join(struct.pack(">II", *pair) for pair in pairs))


class Kept:
    """Takes portions while there is room."""

    def __init__(self) -> None:
        self.portions: list[FlowPortion] = []
        self.tenants: list[str] = []
        self.room = True

    def __call__(self, portion: FlowPortion, tenant_id: str) -> bool:
        if self.room:
            self.portions.append(portion)
            self.tenants.append(tenant_id)
        return self.room


def receiver(
    kept: Kept, config: FlowsConfig | None = None, learned: dict[str, list[Learned]] | None = None
) -> Receiver:
    made = Receiver(config or FlowsConfig(), kept, learned)
    made.know({A: "t", B: "t", C: "t"})
    return made


def send(to: Receiver, address: str, *datagrams: bytes) -> None:
    for datagram in datagrams:
        to.put(Received(NOW_US, datagram, address))


def test_records_of_known_exporters_are_passed_on_by_exporter() -> None:
    made = receiver(kept := Kept())
    send(made, A, kit.v9(TEMPLATE, rows((100, 1), (200, 2)), sequence=1))
    send(made, C, kit.v5(kit.v5_record("10.0.0.1", "10.0.0.2", 70), sequence=1))
    assert not kept.portions, "they wait for each other"
    made.flush()
    assert [(one.exporter, one.form, one.records, one.octets) for one in kept.portions] == [
        (A, "netflow9", 2, 300),
        (C, "netflow5", 1, 70),
    ]
    news = made.news()
    assert news["exporters"] == {
        A: {"datagrams": 1, "stored": 2, "templates": 1},
        C: {"datagrams": 1, "stored": 1},
    }
    assert made.news()["exporters"] == {}, "it was told"


def test_strangers_are_counted_and_not_read() -> None:
    made = receiver(kept := Kept())
    for number in range(1200):
        send(made, f"10.0.{number // 250}.{number % 250}", b"nonsense")
    send(made, "10.0.0.0", b"nonsense")
    made.flush()
    assert not kept.portions
    strangers = made.news()["strangers"]
    assert sum(strangers.values()) == 1201
    assert strangers["10.0.0.0"] == 2
    assert len(strangers) == 1001
    assert strangers[""] == 200, "of whom there are too many"


def test_who_is_nobodys_device_any_more_is_not_read_any_more() -> None:
    made = receiver(kept := Kept())
    send(made, A, kit.v9(TEMPLATE, rows((100, 1)), sequence=1))
    made.know({B: "t"})
    assert [one.octets for one in kept.portions] == [100], "what came before is passed on"
    send(made, A, kit.v9(rows((200, 1)), sequence=2))
    assert made.news() == {
        "exporters": {},
        "strangers": {A: 1},
        "gone": {A: {"datagrams": 1, "stored": 1, "templates": 1}},
    }
    made.know({A: "t"})
    send(made, A, kit.v9(rows((300, 1)), sequence=3))
    made.flush()
    assert [one.octets for one in kept.portions] == [100, 300], "its template is still known"


def test_exporters_are_bounded() -> None:
    made = receiver(kept := Kept(), FlowsConfig(max_exporters=2))
    for address in (A, B, C):
        send(made, address, kit.v9(TEMPLATE, rows((100, 1)), sequence=1))
    assert [one.exporter for one in kept.portions] == [A]
    assert set(made.learned()) == {A, B, C}


def test_what_an_address_sent_stays_its_tenants_when_it_changes_hands() -> None:
    made = receiver(kept := Kept())
    send(made, A, kit.v9(TEMPLATE, rows((100, 1)), sequence=1), kit.v9(OTHER_ROWS, sequence=2))
    made.know({A: "theirs", B: "t"})
    assert (kept.tenants, [one.octets for one in kept.portions]) == (["t"], [100])
    assert made.news()["gone"] == {
        A: {"datagrams": 2, "stored": 1, "templates": 1, "held": 1, "held_dropped": 1}
    }
    send(made, A, kit.v9(rows((7, 1)), sequence=1))
    made.flush()
    assert len(kept.portions) == 1, "nothing is read by the template of who had it before"
    send(made, A, kit.v9(OTHER, TEMPLATE, sequence=2))
    made.flush()
    assert kept.tenants == ["t", "theirs"], "what was held of the other is gone"
    assert kept.portions[1].octets == 7


def test_templates_of_who_left_an_address_are_not_for_another_tenant() -> None:
    made = receiver(kept := Kept())
    send(made, A, kit.v9(TEMPLATE, rows((100, 1)), sequence=1))
    made.know({B: "t"})
    made.know({A: "theirs", B: "t"})
    send(made, A, kit.v9(rows((7, 1)), sequence=1))
    made.flush()
    assert [one.octets for one in kept.portions] == [100]
    assert A in made.learned()
    assert not any(one.templates for one in made.learned()[A])


def test_domains_have_tenants_of_their_own_and_what_they_sent_stays_theirs() -> None:
    made = receiver(kept := Kept())
    made.know({A: ""}, {A: {1: "t", 2: "", 3: "u"}})
    for domain in (1, 2, 3, 4):
        send(made, A, kit.v9(TEMPLATE, rows((domain, 1)), sequence=1, source=domain))
    made.know({A: ""}, {A: {1: "t", 2: "new", 3: "u"}})
    assert not kept.portions, "nobody lost something"
    made.know({A: ""}, {A: {1: "t", 2: "new", 3: "v"}})
    found = dict(zip((one.octets for one in kept.portions), kept.tenants, strict=True))
    assert found == {1: "t", 2: "new", 3: "u", 4: ""}
    send(made, A, kit.v9(rows((9, 1)), sequence=2, source=3))
    made.flush()
    assert len(kept.portions) == 4, "its templates are forgotten, too"


def test_sets_that_wait_when_an_exporter_gives_way_are_counted() -> None:
    ledger = Ledger(memoryview(bytearray(8 * numbers_for(2))).cast("Q"))
    made = Receiver(FlowsConfig(max_exporters=1), Kept(), ledger=ledger)
    made.know({A: "t", B: "t"})
    send(made, A, kit.v9(rows((1, 1)), sequence=1), kit.v9(rows((1, 1)), sequence=2))
    made.news()
    assert ledger.row_of(A)[HELD] == 2
    send(made, B, kit.v9(TEMPLATE, sequence=1))
    assert made.news()["gone"] == {A: {"held_dropped": 2}}
    assert ledger.row_of(A)[HELD] == 0
    send(made, A, kit.v9(rows((1, 1)), sequence=3))
    news = made.news()
    assert news["exporters"] == {A: {"datagrams": 1, "held": 1}}
    assert ledger.row_of(A)[HELD] == 1


def test_what_has_no_room_is_counted() -> None:
    made = receiver(kept := Kept())
    kept.room = False
    send(made, A, kit.v9(TEMPLATE, rows((1, 1), (2, 1)), sequence=1))
    made.flush()
    assert made.news()["exporters"][A]["queue_full"] == 2


def test_many_records_do_not_wait() -> None:
    made = receiver(kept := Kept())
    many = rows(*[(1, 1)] * 180)
    datagrams = MOST_RECORDS // 180 + 1
    send(made, A, kit.v9(TEMPLATE, sequence=0))
    send(made, A, *(kit.v9(many, sequence=1 + number) for number in range(datagrams)))
    assert sum(one.records for one in kept.portions) == datagrams * 180
    assert max(one.records for one in kept.portions) <= MOST_RECORDS


def test_what_never_came_is_told_once_and_never_taken_back() -> None:
    made = receiver(Kept())
    send(made, A, kit.v9(TEMPLATE, sequence=1), kit.v9(sequence=5))
    assert made.news()["exporters"][A]["lost"] == 3
    send(made, A, kit.v9(sequence=3))  # it was only late
    assert "lost" not in made.news()["exporters"][A]
    send(made, A, kit.v9(sequence=9))
    assert made.news()["exporters"][A]["lost"] == 2, "one of three was told too early"


def test_a_configured_sampling_counts_more_than_what_is_told() -> None:
    made = receiver(kept := Kept(), FlowsConfig(exporters={A: ExporterConfig(sampling=64)}))
    for address in (A, B):
        send(made, address, kit.v5(kit.v5_record("10.0.0.1", "10.0.0.2", 10), sampling=0x4000 | 2))
    made.flush()
    assert [(one.sampling, one.estimated_octets) for one in kept.portions] == [
        ("configured", 640),
        ("told", 20),
    ]


def test_sflow_and_netflow_of_one_address_are_told_apart() -> None:
    made = receiver(Kept())
    send(made, A, struct.pack(">I", 5) + b"cut off", kit.v5(kit.v5_record("10.0.0.1", "10.0.0.2", 10)))
    news = made.news()["exporters"][A]
    malformed = {name for name in news if name.startswith("malformed.")}
    assert news == {"datagrams": 2, **dict.fromkeys(malformed, 1)}
    assert len(malformed) == 1


@given(st.lists(st.tuples(st.sampled_from([A, B, "10.9.9.9"]), st.binary(max_size=80)), max_size=30))
def test_whatever_is_sent_is_counted(datagrams: list[tuple[str, bytes]]) -> None:
    made = receiver(Kept())
    for address, datagram in datagrams:
        send(made, address, datagram)
    made.flush()
    news = made.news()
    counted = sum(one.get("datagrams", 0) for one in news["exporters"].values())
    assert counted + sum(news["strangers"].values()) == len(datagrams)


# -- what is remembered ----------------------------------------------------------


LEARNED = {
    A: [
        Learned(0, (Template(256, (Field(1, 4), Field(2, 4))),), 512, {1: 10}, 1_699_999_900_000),
        Learned(7, ()),
    ],
    C: [Learned(1, (Template(300, (Field(8, 4), Field(5, 2, 14988)), 1),))],
}


def test_a_restart_remembers_templates(tmp_path: Path) -> None:
    write_learned(path_of(tmp_path, 0), LEARNED)
    assert read_learned(tmp_path) == LEARNED
    made = receiver(kept := Kept(), learned=read_learned(tmp_path))
    send(made, A, kit.v9(rows((5, 1)), sequence=9))
    made.flush()
    assert [(one.records, one.estimated_octets) for one in kept.portions] == [(1, 5 * 512)]
    assert dict(made.learned()) == LEARNED


def test_files_of_all_workers_are_read_and_damaged_ones_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_learned(path_of(tmp_path, 0), {A: LEARNED[A]})
    write_learned(path_of(tmp_path, 3), {C: LEARNED[C]})
    for number, text in enumerate(
        [
            "",
            "{",
            '{"version": 2}',
            '{"version": 1, "exporters": {"x": [{"domain": -1}]}}',
            '{"version": 1, "exporters": []}',
        ]
    ):
        path_of(tmp_path, 10 + number).write_text(text)
    assert read_learned(tmp_path) == LEARNED
    assert caplog.text.count("can't be read") == 5
