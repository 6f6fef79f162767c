"""What the bridge measures of itself: for Prometheus, and in short for the health file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
_WINDOW = 600


class Timing:
    """A histogram that also knows its newest values."""

    def __init__(self, name: str, text: str, registry: CollectorRegistry) -> None:
        self._histogram = Histogram(name, text, buckets=_BUCKETS, registry=registry)
        self._newest: deque[float] = deque(maxlen=_WINDOW)

    def observe(self, seconds: float) -> None:
        """Take a value."""
        self._histogram.observe(seconds)
        self._newest.append(seconds)

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Take how long the block lasts, if it ends well."""
        started = perf_counter()
        yield
        self.observe(perf_counter() - started)

    def summary(self) -> dict[str, float] | None:
        """Return the newest values in short; None if there are none."""
        values = sorted(self._newest)
        if not values:
            return None
        last = len(values) - 1
        return {
            "p50": round(values[last // 2], 4),
            "p95": round(values[round(last * 0.95)], 4),
            "max": round(values[last], 4),
            "of": len(values),
        }


class Figures:
    """All figures of one bridge."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"mtd_bridge_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"mtd_bridge_{name}", text, labels, registry=registry)

        def timing(name: str, text: str) -> Timing:
            return Timing(f"mtd_bridge_{name}_seconds", text, registry)

        self.frame_age = timing("frame_age", "Age of new values when they reach the bridge.")
        self.publish = timing("publish", "Time to put the messages of a tick on Odoo's bus, with the commit.")
        self.event_write = timing("event_write", "Time to write a batch of events to Odoo, with the commit.")
        self.frames = counter("frames", "Frames received.")
        self.frames_dropped = counter("frames_dropped", "Frames that weren't used.", "reason")
        self.cut = counter("cut", "What was larger than is kept, and was cut, or left out.", "what")
        self.messages = counter("messages", "Messages put on the bus.", "kind")
        self.ticks = counter("ticks", "Ticks that published.")
        self.ticks_skipped = counter("ticks_skipped", "Ticks left out because Odoo was still busy with one.")
        self.publish_failures = counter(
            "publish_failures", "Ticks that could not be written; the next has it."
        )
        self.interfaces_left_out = counter(
            "interfaces_left_out", "Interfaces left out of too large messages."
        )
        self.events = counter("events", "Events copied to Odoo.")
        self.events_known = counter(
            "events_known", "Events that Odoo had already, or that are too old to keep."
        )
        self.streams_opened = counter("streams_opened", "Streams opened at mtd.", "stream")
        self.failures = counter("failures", "Failures, each tried again.", "what")
        self.diagnostics = counter("diagnostics", "Diagnostic runs that ended.", "state")
        self.rows_purged = counter("rows_purged", "Rows removed that nobody reads any more.")
        self.live_streams = gauge("live_streams", "StreamLatest calls open.")
        self.viewed = gauge("viewed_devices", "Devices that somebody looks at.")
        self.clock_ahead = gauge(
            "clock_ahead_seconds", "How far mtd's clock is ahead of this machine's.", "connection"
        )
        self.connected = gauge(
            "connected", "1 while mtd answers and it is sure whose tenant it is.", "connection"
        )
        self.active = gauge("active", "1 while this bridge is the one that writes.")

    def failed(self, what: str) -> None:
        """Count a failure."""
        self.failures.labels(what).inc()

    def clock_is_ahead(self, connection_id: int, seconds: float | None) -> None:
        """Keep how far the clock of an mtd is ahead; None: that isn't known, or not any more."""
        if seconds is not None:
            self.clock_ahead.labels(str(connection_id)).set(seconds)
        else:
            with suppress(KeyError):
                self.clock_ahead.remove(str(connection_id))

    def follow(self, connection_id: int, is_connected: Callable[[], bool] | None) -> None:
        """Tell of a connection, whenever somebody reads, whether it works; None: it is gone."""
        if is_connected is not None:
            self.connected.labels(str(connection_id)).set_function(is_connected)
        else:
            with suppress(KeyError):
                self.connected.remove(str(connection_id))

    def was_cut(self, what: str, count: int = 1) -> None:
        """Count what had more than is kept."""
        self.cut.labels(what).inc(count)

    def exposition(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self.registry)

    def value(self, name: str, **labels: str) -> float:
        """Return one figure by its name; 0 before it was first counted."""
        return self.registry.get_sample_value(f"mtd_bridge_{name}", labels) or 0.0

    def summary(self) -> dict[str, Any]:
        """Return what a health file tells."""
        return {
            "frame_age_s": self.frame_age.summary(),
            "publish_s": self.publish.summary(),
            "event_write_s": self.event_write.summary(),
            "viewed_devices": int(self.value("viewed_devices")),
            "live_streams": int(self.value("live_streams")),
            "ticks": int(self.value("ticks_total")),
            "ticks_skipped": int(self.value("ticks_skipped_total")),
            "publish_failures": int(self.value("publish_failures_total")),
            "events": int(self.value("events_total")),
            "failures": _by_what(self.failures),
            "cut": _by_what(self.cut),
        }


def _by_what(counter: Counter) -> dict[str, int]:
    return {
        sample.labels["what"]: int(sample.value)
        for metric in counter.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
