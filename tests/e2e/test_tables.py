"""A table of sessions, from a lab's router through the daemon into PostgreSQL, as its bench measures it."""

from __future__ import annotations

from pathlib import Path

from mtd.testing.tables_bench import TablesPlan, measure_tables, running_tables


def test_a_small_table_is_measured(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    # Over more than one cycle: PostgreSQL's own count of rows comes a second late, and more where it is busy.
    plan = TablesPlan(rows=400, churn_pct=5.0, interval_s=1.0, cycles=5)
    with running_tables(tmp_path, plan, lambda _: None) as stage:
        figures = measure_tables(stage, plan, lambda _: None)
    assert figures["rows"] == 400
    assert figures["changes_per_cycle"] == 40
    assert figures["cycles"] >= 1
    assert 0 < figures["rows_written_per_cycle"] < 200
    assert figures["table_is_right"]
    assert figures["names_stored"] == 0
    assert figures["memory_mb"]["start"] > 10
