"""Records as the console's JSON has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mtd.api.console.encode import exact
from mtd.model.catalogue import Catalogue
from mtd.model.interfaces import PHYSICAL_TYPES
from mtd.model.metric import Lane, Tier
from mtd.queries.logs import LogLineView
from mtd.queries.records import DeviceDetail, HealthHistory, Ints, RangeAnswer, SeriesPoints


def device_object(detail: DeviceDetail, intervals_s: Mapping[str, float]) -> dict[str, Any]:
    """Return all of a device. ``intervals_s``: for tiers of which the device says nothing."""
    view = detail.view
    settings = view.settings
    return {
        "device": {
            "id": view.device_id,
            "name": settings.name,
            "host": settings.host,
            "enabled": settings.enabled,
            "status": view.status.value,
            "reason": view.status_reason,
            "since_us": view.status_since_us,
            "last_seen_us": view.last_seen_us,
            "version": view.routeros_version,
            "board": view.board_name,
            "identity": view.identity,
            "labels": dict(settings.labels),
            "interval_s": settings.intervals_s.get(Tier.T0, intervals_s[Tier.T0]),
            "port": settings.port,
            "username": settings.username,
            "tls_mode": settings.tls_mode.value,
            "notes": settings.notes,
            "serial_number": detail.serial_number,
            "architecture": detail.architecture,
            "created_us": view.created_us,
            "intervals_s": {tier.value: settings.intervals_s.get(tier, intervals_s[tier]) for tier in Tier},
        },
        "capabilities": [asdict(one) for one in detail.capabilities],
        "interfaces": [{**asdict(one), "physical": one.type in PHYSICAL_TYPES} for one in detail.interfaces],
    }


def history_object(answer: RangeAnswer, start_us: int, end_us: int) -> dict[str, Any]:
    """Return stored points."""
    return {
        "start_us": start_us,
        "end_us": end_us,
        "bucket_us": answer.bucket_us,
        "series": [_series_object(series) for series in answer.series],
    }


def _series_object(series: SeriesPoints) -> dict[str, Any]:
    found = {
        "key": series.key,
        "metric": series.metric,
        "instance": series.instance,
        "label": series.label,
        "unit": series.unit,
        "lane": series.lane.value,
        "t_us": series.times_us,
        "v": _exact(series.counters) if series.lane is Lane.COUNTER else series.values,
    }
    if len(series.maximum):
        found["max"] = series.maximum
    return found


def _exact(counters: Ints) -> Sequence[int | str | None]:
    return exact(np.asarray(counters, dtype=np.int64).tolist())


def health_object(history: HealthHistory) -> dict[str, Any]:
    """Return how a device was."""
    outcomes = [asdict(one) for one in history.outcomes]
    for one in outcomes:
        one["t_us"] = one.pop("at_us")
    return {
        "start_us": history.start_us,
        "end_us": history.end_us,
        "segments": [asdict(one) for one in history.segments],
        "outcomes": outcomes,
    }


def catalogue_object(catalogue: Catalogue) -> dict[str, Any]:
    """Return what metrics mean."""
    return {
        "version": catalogue.version,
        "metrics": [
            {
                "key": metric.key,
                "unit": metric.unit.value,
                "kind": metric.kind.value,
                "tier": metric.tier.value,
                "description": metric.description,
                "states": {str(number): name for name, number in metric.states.items()},
                "collector": catalogue.collector_of(metric.key),
            }
            for metric in catalogue
        ],
    }


def line_object(line: LogLineView) -> dict[str, Any]:
    """Return a line of a router's log as the console shows it."""
    return {
        "position": line.token,
        "t_us": line.received_us,
        "device_id": line.device_id or None,
        "device": line.device,
        "sender": line.sender,
        "severity": line.severity,
        "topics": line.topics,
        "text": line.text,
        "original": line.original,
        "event_type": line.event_type,
        "entity_type": line.entity_type,
        "entity": line.entity,
        "repeats": line.repeats,
    }
