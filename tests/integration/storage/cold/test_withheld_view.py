"""The view tells no rate that was withheld when the poll came."""

from __future__ import annotations

import numpy as np
import pytest

from tests.integration.storage.cold.kit import HOUR, connected
from tests.integration.storage.cold.test_view import RX, catalogue, store


@pytest.mark.parametrize("jitter", [0, 50, 5000, 50_000])
def test_withheld_rates_stay_withheld(postgres_dsn: str, jitter: int) -> None:
    ms = np.arange(30) * 60_000 + np.random.default_rng(3).integers(0, jitter + 1, 30)
    absent = np.zeros(30, dtype=np.bool_)
    absent[[3, 20]] = True
    other = ("iface.rx_bytes_total", "*2")
    with connected(postgres_dsn) as connection:
        catalogue(connection)
        store(connection, HOUR, ms, {RX: (np.arange(30) ** 2, absent), other: np.arange(30)})
        query = "SELECT to_us(ts), instance, value FROM telemetry WHERE lane = 'rate' ORDER BY ts, instance"
        every = connection.fetch(query)
        assert len(every) == 27 + 29
        connection.execute(
            "UPDATE telemetry_block SET withheld = '{1,6,21,22,30}' FROM series s"
            " WHERE s.series_id = telemetry_block.series_id AND s.instance = '*1'"
        )
        times = {HOUR + int(ms[n]) * 1000 for n in (0, 5, 20, 21, 29)}
        assert connection.fetch(query) == [row for row in every if row[1] == "*2" or row[0] not in times]
        assert connection.fetch("SELECT count(*) FROM telemetry WHERE lane = 'counter'") == [(58,)]
