from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.command import Rows
from mtd.testing.replies import rows_of
from mtd.testing.strategies import rows
from mtd_collector_wireless import joins
from mtd_collector_wireless.shapes import SHAPES

NOTHING = Rows()


@pytest.mark.parametrize(
    ("text", "dbm"),
    [
        (b"-62@1Mbps", b"-62"),
        (b"-65dBm@1Mbps", b"-65"),
        (b"-47", b"-47"),
        (b"-47 dBm", b"-47"),
        (b"0", b"0"),
        (b"", None),
        (b"strong", None),
        (None, None),
    ],
)
def test_signals(text: bytes | None, dbm: bytes | None) -> None:
    assert joins.signal(text) == dbm


@pytest.mark.parametrize(
    ("text", "bps"),
    [
        (b"72.2Mbps-20MHz/1S/SGI", b"72200000"),
        (b"54Mbps", b"54000000"),
        (b"866.7Mbps-80MHz/2S/SGI", b"866700000"),
        (b"1200900000", b"1200900000"),
        (b"unknown", None),
        (None, None),
    ],
)
def test_rates(text: bytes | None, bps: bytes | None) -> None:
    assert joins.rate(text) == bps


def test_a_count_that_cannot_be_read_leaves_no_sum() -> None:
    others = {"count-wifi": Rows(1, {"ret": (b"5",)}), "count-wireless": Rows(1, {"ret": (b"many",)})}
    assert joins.client_total(NOTHING, others).column("clients") == (None,)


def test_clients_of_an_interface_that_is_not_there_are_in_no_figure() -> None:
    others = {
        "interfaces-wifi": rows_of([{".id": "*1", "name": "wifi1"}]),
        "clients-wifi": rows_of([{".id": "*1", "interface": "wifi2", "signal": "-40"}]),
    }
    figures = joins.interface_figures(NOTHING, others)
    assert figures.dicts() == [{"name": b"wifi1", "clients": b"0", "weak": b"0"}]


def test_without_the_table_of_clients_nobody_knows_how_many_there_are() -> None:
    others = {
        "interfaces-wifi": rows_of([{".id": "*1", "name": "wifi1"}]),
        "interfaces-wireless": rows_of([{".id": "*2", "name": "wlan1"}]),
        "clients-wireless": NOTHING,
    }
    assert joins.interface_figures(NOTHING, others).column("name") == (b"wlan1",)


def test_a_client_whose_signal_is_not_told_is_neither_weak_nor_strong() -> None:
    others = {
        "interfaces-wifi": rows_of([{".id": "*1", "name": "wifi1"}]),
        "clients-wifi": rows_of([{".id": "*1", "interface": "wifi1"}]),
    }
    assert joins.interface_figures(NOTHING, others).dicts() == [{"name": b"wifi1", "clients": b"1"}]


def test_what_the_router_tells_of_a_client_counts_more_than_a_lease() -> None:
    others = {
        "clients-wifi": rows_of(
            [
                {".id": "*1", "mac-address": "AA:00:00:00:00:01", "dhcp-hostname": "new", "signal": "-50"},
                {".id": "*2", "mac-address": "AA:00:00:00:00:02", "dhcp-hostname": ""},
                {".id": "*3"},
            ]
        ),
        "leases": rows_of(
            [
                {"mac-address": "aa:00:00:00:00:01", "host-name": "old", "address": "10.0.0.1"},
                {"mac-address": "AA:00:00:00:00:02", "host-name": "named", "address": ""},
            ]
        ),
    }
    table = joins.client_table(NOTHING, others)
    assert table.column("host-name") == [b"new", b"named", None]
    assert table.column("address") == [b"10.0.0.1", None, None]


def _answers(what: str) -> st.SearchStrategy[Mapping[str, Rows]]:
    reads = {
        f"{what}-{shape.name}": rows(".id", *dict.fromkeys((*shape.client_names.values(), "name", "ssid")))
        for shape in SHAPES
    }
    return st.fixed_dictionaries({}, optional=reads)


@given(_answers("clients"), _answers("interfaces"), rows("mac-address", "host-name", "address"))
def test_each_client_is_one_row_whatever_a_router_sends(
    clients: Mapping[str, Rows], interfaces: Mapping[str, Rows], leases: Rows
) -> None:
    others = {**clients, **interfaces, "leases": leases}
    table = joins.client_table(NOTHING, others)
    assert table.count == sum(part.count for part in clients.values())
    assert {len(column) for column in table.columns.values()} <= {table.count}
    figures = joins.interface_figures(NOTHING, others)
    assert sum(int(count or 0) for count in figures.column("clients")) <= table.count
