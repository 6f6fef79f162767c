"""Rows that are read some at a time."""

from __future__ import annotations

import pytest

from mtd.storage.cold.connection import ColdConnection
from mtd.storage.errors import StatementRejected, StorageUnavailable

NUMBERS = "SELECT n::int4 FROM generate_series(1, %s) n ORDER BY n"


def numbers(rows: object) -> list[int]:
    return [int.from_bytes(row[0], "big") for row in rows]  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25])
def test_all_rows_come(postgres_dsn: str, count: int) -> None:
    with ColdConnection(postgres_dsn) as connection, connection.transaction():
        assert numbers(connection.stream_raw(NUMBERS, [count], at_once=10)) == list(range(1, count + 1))


def test_several_are_read_side_by_side(postgres_dsn: str) -> None:
    with ColdConnection(postgres_dsn) as connection, connection.transaction():
        one, other = (connection.stream_raw(NUMBERS, [3], at_once=1) for _ in range(2))
        assert [numbers([next(rows)]) for rows in (one, other, one, other)] == [[1], [1], [2], [2]]
        # Who doesn't read to the end holds up nothing.
        assert numbers(connection.fetch_raw(NUMBERS, [2])) == [1, 2]
    with ColdConnection(postgres_dsn) as connection:
        for _ in range(20):
            with connection.transaction():
                assert numbers(connection.stream_raw(NUMBERS, [1])) == [1]


def test_who_is_cancelled_reads_no_further(postgres_dsn: str) -> None:
    with ColdConnection(postgres_dsn) as connection, connection.transaction():
        rows = connection.stream_raw(NUMBERS, [100], at_once=1)
        next(rows)
        connection.cancel()
        with pytest.raises(StorageUnavailable, match="nobody waits"):
            next(rows)


def test_trouble_comes_in_our_words(postgres_dsn: str) -> None:
    with (
        ColdConnection(postgres_dsn) as connection,
        pytest.raises(StatementRejected, match="division by zero"),
        connection.transaction(),
    ):
        list(connection.stream_raw("SELECT 1 / (n - 3) FROM generate_series(1, 5) n", at_once=2))
