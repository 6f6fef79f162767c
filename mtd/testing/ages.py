"""How old the newest values are, measured from outside: by gRPC and by SQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import psycopg

from mtd.client import MtdClient

POLL_GROUP = "t0"
SAMPLE_INTERVAL_S = 0.2


@dataclass(frozen=True, slots=True)
class AgeFigures:
    """Percentiles of the age over devices and samples, seconds; ``samples`` says how many."""

    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float
    samples: int

    @classmethod
    def of(cls, ages_s: list[float]) -> AgeFigures:
        """Return the figures of a list of ages."""
        if not ages_s:
            return cls(float("nan"), float("nan"), float("nan"), float("nan"), 0)
        p50, p95, p99 = np.percentile(ages_s, [50, 95, 99])
        return cls(float(p50), float(p95), float(p99), max(ages_s), len(ages_s))


class _Sampler(threading.Thread):
    """Every 200 ms: now minus ``ts_collected`` of the newest values of each device."""

    def __init__(self, name: str, newest: Callable[[], Mapping[str, int]]) -> None:
        super().__init__(name=name, daemon=True)
        self._newest = newest
        self._stopping = threading.Event()
        self.ages_s: dict[str, list[float]] = {}
        self.error: BaseException | None = None

    def run(self) -> None:
        due = time.monotonic()
        try:
            while not self._stopping.wait(max(0.0, due - time.monotonic())):
                due += SAMPLE_INTERVAL_S
                newest = self._newest()
                now_us = time.time_ns() // 1000
                for device, collected_us in newest.items():
                    self.ages_s.setdefault(device, []).append((now_us - collected_us) / 1e6)
        except Exception as error:  # handed to the caller of ``stop``
            self.error = error

    def stop(self) -> None:
        """End; raise what went wrong while sampling."""
        self._stopping.set()
        self.join(10)
        if self.error is not None:
            raise self.error

    def all_ages(self) -> list[float]:
        return [age for ages in self.ages_s.values() for age in ages]


class StreamAges(_Sampler):
    """Ages as a client of StreamLatest sees them; ``metrics`` selects what is streamed."""

    def __init__(self, server: str, metrics: tuple[str, ...] = ()) -> None:
        super().__init__("ages by gRPC", lambda: dict(self._collected_us))
        self._collected_us: dict[str, int] = {}
        self._client = MtdClient(server)
        self._metrics = metrics
        self._reader = threading.Thread(target=self._read, name="stream", daemon=True)
        self.updates = 0

    def start(self) -> None:
        """Begin to read and to sample."""
        self._reader.start()
        super().start()

    def _read(self) -> None:
        for update in self._client.watch_frames(metrics=self._metrics):
            if update.layout.poll_group == POLL_GROUP:
                self._collected_us[update.layout.device_name] = update.collected_at_us
                self.updates += 1

    def begin_anew(self) -> None:
        """Forget what was sampled so far."""
        self.ages_s.clear()
        self.updates = 0

    def stop(self) -> None:
        """End both; raise what went wrong while sampling."""
        self._client.close()
        super().stop()


class SqlAges(_Sampler):
    """Ages as a reader of the table ``latest`` sees them."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        super().__init__("ages by SQL", self._newest_rows)

    def _newest_rows(self) -> dict[str, int]:
        rows = self._connection.execute(
            "SELECT d.name, (extract(epoch FROM l.ts_collected) * 1000000)::bigint"
            " FROM mtd.latest l JOIN mtd.device d USING (tenant_id, device_id) WHERE l.poll_group = %s",
            (POLL_GROUP,),
        )
        return dict(rows.fetchall())

    def stop(self) -> None:
        """End; raise what went wrong while sampling."""
        super().stop()
        self._connection.close()
