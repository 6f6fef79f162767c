import pytest
from hypothesis import given

from mtd.model.command import Rows
from mtd.testing.strategies import rows
from mtd_collector_ppp.wireguard import states_of_peers


def peer(**row: bytes) -> dict[str, bytes]:
    columns = {name.replace("_", "-"): (value,) for name, value in row.items()}
    [found] = states_of_peers(Rows(1, columns)).dicts()
    return found


@pytest.mark.parametrize(
    ("handshake", "received", "state"),
    [
        (b"1m59s", b"10", b"up"),
        (b"3m", b"10", b"up"),
        (b"3m1s", b"10", b"stale"),
        (b"4d", b"10", b"stale"),
        (b"0s", b"92", b"up"),
        (b"0s", b"0", b"never"),
        (b"never", b"0", b"never"),
        (b"", b"0", b"never"),
    ],
)
def test_a_peer_is_up_for_three_minutes_after_a_handshake(
    handshake: bytes, received: bytes, state: bytes
) -> None:
    found = peer(last_handshake=handshake, rx=received)
    assert found["state"] == state
    assert ("age" in found) is (state != b"never")


def test_what_cannot_be_read_is_no_state() -> None:
    assert "state" not in peer(last_handshake=b"yesterday", rx=b"1")
    assert peer(rx=b"1")["state"] == b"never"


@pytest.mark.parametrize(
    ("keepalive", "kept"), [(b"25s", b"true"), (b"25", b"true"), (b"0s", b"false"), (b"none", b"false")]
)
def test_who_is_kept_alive_should_not_be_silent(keepalive: bytes, kept: bytes) -> None:
    assert peer(persistent_keepalive=keepalive)["kept-alive"] == kept


@given(rows("rx", "tx", "last-handshake", "persistent-keepalive", "disabled"))
def test_whatever_a_router_sends_nobody_is_invented(given_rows: Rows) -> None:
    found = states_of_peers(given_rows)
    assert found.count <= given_rows.count
    assert all(len(column) == found.count for column in found.columns.values())
