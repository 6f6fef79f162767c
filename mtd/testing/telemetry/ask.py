"""Questions to the query layer, without a door. Run as a process of its own.

``python -m mtd.testing.telemetry.ask`` reads ``{"dsn", "plan", "days", "most"}``
on standard input and prints the times of each case as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import Any

from mtd.cli.reactor import run_on_reactor
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.queries.config import QueriesConfig
from mtd.queries.ranges import RangeQueries
from mtd.queries.records import RangeAnswer
from mtd.queries.top import TopBy
from mtd.queries.top_window import WindowQuestion, read_top_window
from mtd.storage.config import RetentionConfig, StorageConfig
from mtd.storage.readers import Readers
from mtd.testing.telemetry.agreement import told_of_buckets, told_of_points, whole_buckets
from mtd.testing.telemetry.cases import CASES, TOP, TOP_TIMES, TOP_WINDOW_S, Ask, asks_of, top_ends
from mtd.testing.telemetry.data import B_NAMES, DataPlan


async def ask(wanted: dict[str, Any]) -> dict[str, Any]:
    """Ask each question; return seconds, and of the first answer of each case how much it told."""
    plan = DataPlan(**wanted["plan"])
    readers = Readers(wanted["dsn"], StorageConfig())
    queries = RangeQueries(
        readers, QueriesConfig(max_scanned_points=20_000_000), retention=RetentionConfig(raw_days=400)
    )
    found: dict[str, Any] = {}
    try:
        for case in CASES:
            seconds, told = [], None
            for one in asks_of(case, plan, wanted["days"], wanted["most"]):
                began = time.perf_counter()
                answer = await queries.query_range(
                    one.device, [one.pattern], one.start_us, one.end_us, case.max_points
                )
                seconds.append(time.perf_counter() - began)
                told = told or _told(one, answer)
            found[case.name] = {"seconds": seconds, "told": told}
        seconds, told = [], None
        for now_us in top_ends(plan, wanted["most"] or TOP_TIMES):
            question = WindowQuestion(DEFAULT_TENANT_ID, TopBy.RX, TOP, TOP_WINDOW_S, (B_NAMES,), now_us)
            began = time.perf_counter()
            entries = await readers.run(
                "bench.top",
                partial(read_top_window, asked=question),
                tenant=DEFAULT_TENANT_ID,
            )
            seconds.append(time.perf_counter() - began)
            told = told or {
                "entries": len(entries),
                "top": [(entry.device_name, entry.instance, entry.value) for entry in entries],
            }
        found["top10"] = {"seconds": seconds, "told": told}
    finally:
        await readers.stop()
    return found


def _told(asked: Ask, answer: RangeAnswer) -> dict[str, Any]:
    (series,) = answer.series
    how = {"bucket_us": answer.bucket_us, "resolution": str(answer.resolution)}
    if not answer.bucket_us:
        # As floats: a day of a large counter is more than 64 bits hold.
        return {
            **told_of_points(list(map(float, series.counters if len(series.counters) else series.values))),
            **how,
        }
    buckets = (series.counts, series.values, series.minimum, series.maximum)
    return {
        **told_of_buckets(*(list(map(float, column)) for column in buckets)),  # type: ignore[arg-type]
        "whole": whole_buckets(asked.start_us, asked.end_us, answer.bucket_us),
        **how,
    }


if __name__ == "__main__":
    result = run_on_reactor(ask(json.load(sys.stdin)))
    sys.stdout.write(json.dumps(result) + "\n")
