from __future__ import annotations

import pytest

from mtd.testing.replies import rows_of
from mtd_collector_dhcp import words


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"status": "bound"}, b"bound"),
        ({"status": "searching..."}, b"searching"),
        ({"status": "bound", "disabled": "true"}, b"stopped"),
        ({"status": "bound", "invalid": "true"}, b"invalid"),
        ({}, None),
    ],
)
def test_states_of_clients(told: dict[str, str], state: bytes | None) -> None:
    assert words.clients(rows_of([told])).column("state") == [state]


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"disabled": "false", "invalid": "false"}, b"running"),
        ({"disabled": "false"}, b"running"),
        ({"disabled": "true", "invalid": "true"}, b"disabled"),
        ({"invalid": "true"}, b"invalid"),
        ({}, None),
    ],
)
def test_states_of_servers(told: dict[str, str], state: bytes | None) -> None:
    assert words.servers(rows_of([told])).column("state") == [state]


def test_leases_without_a_conflict_are_left_as_they_are() -> None:
    told = rows_of([{"status": "bound"}])
    assert words.leases(told) is told
    assert words.leases(rows_of([{"status": "bound"}, {"status": "busy"}])).column("status") == [
        b"bound",
        b"conflict",
    ]
