"""How PostgreSQL would do what queries ask."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import psycopg2
import pytest

from mtd.model.device import DEFAULT_TENANT_ID as TENANT
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.txn import Transaction

DOOR = f"-c role=mtd_door -c app.tenant_id={TENANT}"

Statement = tuple[bool, str, Any]


@contextmanager
def noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Statement]]:
    """Note the questions that are asked: whether with psycopg 3, their text, and what they are asked with."""
    found: list[Statement] = []
    execute = Transaction.execute

    async def on_the_loop(self: Transaction, sql: str, params: Any = None) -> None:
        found.append((False, sql, params))
        await execute(self, sql, params)

    monkeypatch.setattr(Transaction, "execute", on_the_loop)
    for name in ("fetch", "fetch_raw"):
        real = getattr(ColdConnection, name)

        def in_thread(self: ColdConnection, sql: str, params: Any = None, real: Any = real) -> Any:
            found.append((True, sql, params))
            return real(self, sql, params)

        monkeypatch.setattr(ColdConnection, name, in_thread)
    yield found
    monkeypatch.undo()


def plans(dsn: str, options: str, statements: Sequence[Statement]) -> list[dict[str, Any]]:
    """Return how each would be done."""
    options = f"-c search_path=mtd -c timezone=UTC {options}"
    found = []
    with psycopg.connect(dsn, options=options) as new, psycopg2.connect(dsn, options=options) as old:
        for is_new, sql, params in statements:
            text = f"EXPLAIN (FORMAT JSON) {sql}"
            if is_new:
                row: Any = new.execute(text, params, prepare=False).fetchone()  # type: ignore[arg-type]
            else:
                with old.cursor() as cursor:
                    cursor.execute(text, params)
                    row = cursor.fetchone()
            (plan,) = row[0] if isinstance(row[0], list) else json.loads(row[0])
            found.append(plan["Plan"])
    old.close()
    return found


def read_whole(plan: dict[str, Any]) -> set[str]:
    """Return the tables of which every row is looked at."""
    found = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*(read_whole(child) for child in plan.get("Plans", ())))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each step of a plan."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
