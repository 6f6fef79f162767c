"""Whether each way of asking read the same: one that reads less is faster for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtd.testing.harness import HarnessFailed
from mtd.testing.telemetry.cases import CASES, GAUGE, Case

Told = Mapping[str, Any]
"""What a way told: numbers by their names, of the first question of a case."""

# Sums are added up in different orders, and rollups hold means.
_CLOSE = 1e-6
# What a rate over a missed poll or an outage counts for, and whether such a poll does, is not the same everywhere.
_COUNTS_OF_RATES, _RATES = 0.005, 0.01
# A ranking takes means of whole minutes, whatever is missing in them.
_RANKING = 0.03
_NOTHING_BPS = 1.0


def told_of_points(values: Sequence[float]) -> dict[str, Any]:
    """Return what raw points tell."""
    return {"points": len(values), "sum": float(sum(values))}


def told_of_buckets(
    counts: Sequence[int], means: Sequence[float], minimum: Sequence[float], maximum: Sequence[float]
) -> dict[str, Any]:
    """Return what buckets tell: how many, of how many values, and their sum, smallest and largest."""
    return {
        "points": len(counts),
        "count": int(sum(counts)),
        "sum": float(sum(count * mean for count, mean in zip(counts, means, strict=True))),
        "min": float(min(minimum)) if len(minimum) else None,
        "max": float(max(maximum)) if len(maximum) else None,
    }


def whole_buckets(start_us: int, end_us: int, bucket_us: int) -> tuple[int, int]:
    """Return the time that the buckets of a range are of: the first and the last are whole."""
    return start_us // bucket_us * bucket_us, -(-end_us // bucket_us) * bucket_us


def agree(ways: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Raise HarnessFailed where a way read something else than there is in narrow rows.

    Of each way and case there is ``told``; of narrow rows also ``whole``, what
    they tell of the time that buckets of QueryRange and gRPC are of. Of ``top10``
    there is ``top``, and of narrow rows all interfaces as ``ranked`` by ways.
    """
    narrow = ways["narrow"]
    for way, found in ways.items():
        if way == "narrow":
            continue
        for case in CASES:
            if case.name in found:
                rows = narrow[case.name]
                expected = rows["whole"] if case.points and way != "sql_view" else rows["told"]
                _compare(case, way, found[case.name]["told"], expected)
        if "top10" in found:
            _compare_top(way, found["top10"]["told"]["top"], narrow["top10"]["ranked"][way])


def _compare(case: Case, way: str, told: Told, expected: Told) -> None:
    def wrong(what: str) -> HarnessFailed:
        return HarnessFailed(f"{case.name}: {way} read {told}, from narrow rows {expected}: {what} differ")

    if not case.points:
        if told["points"] != expected["points"]:
            raise wrong("points")
        if not _near(told["sum"], expected["sum"], _CLOSE):
            raise wrong("sums")
        return
    exact = case.metric == GAUGE
    # A range's first value has no rate without the one before it.
    allowed = 0.0 if exact else 2 + _COUNTS_OF_RATES * expected["count"]
    if abs(told["count"] - expected["count"]) > allowed:
        raise wrong("counts")
    for name in ("sum", "min", "max"):
        if not _near(told[name], expected[name], _CLOSE if exact else _RATES):
            raise wrong(f"{name} values" if name != "sum" else "sums")


def _compare_top(way: str, top: Sequence[Sequence[Any]], ranked: Sequence[Sequence[Any]]) -> None:
    """Each entry has the value that narrow rows tell of it, and none is missing; who is as busy may change places."""
    by_port = {(device, instance): float(value) for device, instance, value in ranked}
    best = sorted(by_port.values(), reverse=True)[: len(top)]
    if len({(device, instance) for device, instance, _ in top}) != len(top) or not top:
        raise HarnessFailed(f"top10: {way} told {list(top)}")
    for (device, instance, value), expected in zip(top, best, strict=True):
        known = by_port.get((device, instance))
        if known is None or not _same_rate(value, known) or not _same_rate(value, expected):
            raise HarnessFailed(
                f"top10: {way} read {value} of {device} {instance}; narrow rows tell {known} of it,"
                f" and {expected} at its place"
            )


def _same_rate(one: float, other: float) -> bool:
    return abs(one - other) <= _NOTHING_BPS or _near(one, other, _RANKING)


def _near(one: float | None, other: float | None, share: float) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= share * max(abs(one), abs(other))
