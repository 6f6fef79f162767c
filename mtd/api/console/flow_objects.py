"""Answers about flows as the console's JSON has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mtd.api.console.encode import exact
from mtd.api.console.flow_paths import BETWEEN, PathKind
from mtd.api.console.flow_steps import Span
from mtd.model.flows import Dimension
from mtd.queries.flows.records import (
    Amounts,
    ComparedInterface,
    Comparison,
    FlowSeries,
    FoundFlow,
    Order,
    SearchPage,
    SeriesAnswer,
    TopAnswer,
)


def overview_object(
    dimension: Dimension, order: Order, span: Span, series: SeriesAnswer, top: TopAnswer | None
) -> dict[str, Any]:
    """Return the largest and how they went. ``top``: where more rows are wanted than there are series."""
    if top is None:
        rows = [(one.key, one.label, _sum(one)) for one in series.series]
        rest = _sum(series.others)
        total = sum((amounts for *_, amounts in rows), rest)
    else:
        rows = [(row.key, row.label, row.amounts) for row in top.rows]
        rest, total = top.others, top.total
    whole = total.by(order)
    return {
        "dimension": dimension.name,
        "order": order.value,
        "start_us": span.start_us,
        "end_us": span.end_us,
        "step_s": series.step_s,
        "times_us": series.times_us,
        "series": [_series(one, order) for one in series.series],
        "others": exact(_values(series.others, order)),
        "rows": [
            {"key": key, "label": label, **_amounts(amounts), "share": _share(amounts, order, whole)}
            for key, label, amounts in rows
        ],
        "rest": {**_amounts(rest), "share": _share(rest, order, whole)},
        "total": _amounts(total),
    }


def paths_object(kind: PathKind, order: Order, found: TopAnswer, names: Mapping[int, str]) -> dict[str, Any]:
    """Return paths, the largest first. ``names``: of interfaces, by their numbers."""
    whole = found.total.by(order)
    return {
        "kind": kind.name,
        "columns": kind.columns,
        "from": "records" if kind.of_records else "sums",
        "order": order.value,
        "start_us": found.start_us,
        "end_us": found.end_us,
        "paths": [
            {
                "nodes": _nodes(kind, row.key, names),
                **_amounts(row.amounts),
                "share": _share(row.amounts, order, whole),
            }
            for row in found.rows
        ],
        "rest": {**_amounts(found.others), "share": _share(found.others, order, whole)},
        "total": _amounts(found.total),
    }


def records_object(page: SearchPage) -> dict[str, Any]:
    """Return records as their exporters told them."""
    return {
        "records": [_record(one) for one in page.flows],
        "older": page.token or None,
        "truncated": page.truncated,
    }


def comparison_object(found: Comparison) -> dict[str, Any]:
    """Return interfaces by flows and by counters."""
    return {
        "start_us": found.start_us,
        "end_us": found.end_us,
        "left_out": found.left_out,
        "interfaces": [_interface(one) for one in found.interfaces],
    }


def _series(one: FlowSeries, order: Order) -> dict[str, Any]:
    return {"key": one.key, "label": one.label, "values": exact(_values(one, order))}


def _values(one: FlowSeries, order: Order) -> Sequence[int]:
    found: Sequence[int] = getattr(one, order.value)
    return found


def _sum(one: FlowSeries) -> Amounts:
    return Amounts(sum(one.octets), sum(one.packets), sum(one.flows))


def _amounts(amounts: Amounts) -> dict[str, Any]:
    octets, packets, flows = exact((amounts.octets, amounts.packets, amounts.flows))
    return {"octets": octets, "packets": packets, "flows": flows}


def _share(amounts: Amounts, order: Order, whole: int) -> float | None:
    return amounts.by(order) / whole if whole else None


def _nodes(kind: PathKind, key: str, names: Mapping[int, str]) -> list[str]:
    nodes = key.split(BETWEEN)
    if kind.one_device:
        for end in (0, -1):
            nodes[end] = names.get(int(nodes[end]), f"interface {nodes[end]}")
    return nodes


def _record(one: FoundFlow) -> dict[str, Any]:
    return {
        "received_us": one.received_us,
        "device_id": one.device_id or None,
        "device": one.device,
        "exporter": one.exporter,
        "in_interface": one.in_interface_name,
        "out_interface": one.out_interface_name,
        "values": dict(_exact_values(one.values.items())),
    }


def _exact_values(values: Iterable[tuple[str, int | str]]) -> Iterable[tuple[str, int | str | None]]:
    for name, value in values:
        yield name, value if isinstance(value, str) else exact((value,))[0]


def _interface(one: ComparedInterface) -> dict[str, Any]:
    found: dict[str, Any] = {
        "device_id": one.device_id,
        "device": one.device,
        "index": one.index,
        "name": one.name,
        "in_ratio": one.in_octets / one.rx_bytes if one.rx_bytes else None,
        "out_ratio": one.out_octets / one.tx_bytes if one.tx_bytes else None,
    }
    for name in ("in_octets", "out_octets", "rx_bytes", "tx_bytes"):
        value: int | None = getattr(one, name)
        found[name] = None if value is None else exact((value,))[0]
    return found
