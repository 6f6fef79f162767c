"""A hub with devices, and what the writer of expositions says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prometheus_client.core import Metric as ParsedFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from mtd.api.config import HttpConfig
from mtd.api.http.device_metrics import DeviceMetrics
from mtd.api.http.exposition import Format
from mtd.model.device import DeviceStatus
from mtd.model.metric import DEFAULT_INTERVAL_S, Tier
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.queries.records import DeviceView
from mtd.scheduler.account import Polled
from mtd.storage.stores.device_settings import DeviceSettings
from tests.unit.api.fakes import CATALOGUE, TENANT, FakeTelemetry, context, device, numbered

Key = tuple[str, tuple[tuple[str, str], ...]]


class Clock:
    """Shows what it is told to show."""

    def __init__(self, now_s: float = 1_000_000.0) -> None:
        self.now_s = now_s

    def now_us(self) -> int:
        return round(self.now_s * 1e6)

    def monotonic(self) -> float:
        return self.now_s


def view(
    device_id: str = "d1",
    name: str = "r1",
    status: DeviceStatus = DeviceStatus.UP,
    reason: str = "polled in time",
    **settings: Any,
) -> DeviceView:
    host = settings.pop("host", "192.0.2.1")
    return DeviceView(
        device_id, TENANT, DeviceSettings(name, host, "mtd", **settings), 1, 1, 1, status, reason
    )


class Exporter:
    """A hub, a clock, and the metrics of devices that are made from them."""

    def __init__(self, *envelopes: Envelope, names: Sequence[str] = ("r1",), **settings: float) -> None:
        self.clock = Clock()
        self.hub = context(FakeTelemetry()).hub
        self.hub.apply_devices([device(f"d{number}", name) for number, name in enumerate(names, 1)])
        self.intervals_s: dict[Tier, float] = dict(DEFAULT_INTERVAL_S)
        self.polled: dict[str, Polled] = {}
        self.metrics = DeviceMetrics(
            self.hub,
            CATALOGUE,
            HttpConfig(**settings),
            self.clock,
            lambda: self.intervals_s,
            self.polled.get,
        )
        self.hub.listen(self.metrics)
        self.publish(*envelopes)

    def publish(self, *envelopes: Envelope) -> None:
        """Let the hub take events."""
        self.hub.publish(numbered(*envelopes))

    async def text(self, *views: DeviceView, style: Format = Format.TEXT) -> str:
        """Return an exposition of these devices."""
        return (await self.metrics.write(views or (view(),), style)).decode()

    async def samples(self, *views: DeviceView, style: Format = Format.TEXT) -> dict[Key, float]:
        """Return the samples of an exposition by name and labels; each must be there once."""
        return samples_of(await self.text(*views, style=style), style)


def families_of(text: str, style: Format) -> list[ParsedFamily]:
    """Parse an exposition as others do."""
    return list((parse_openmetrics if style is Format.OPENMETRICS else parse_text)(text))


def samples_of(text: str, style: Format) -> dict[Key, float]:
    """Return samples by name and labels."""
    found: dict[Key, float] = {}
    for family in families_of(text, style):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def key(name: str, /, **labels: str) -> Key:
    """Return the key of a sample."""
    return f"routeros_{name}", tuple(sorted(labels.items()))
