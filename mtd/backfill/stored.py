"""What of a device is stored already, so that nothing real is touched. Blocking."""

from __future__ import annotations

from mtd.storage.cold.connection import ColdConnection, timestamp
from mtd.storage.partitioned import DAY_US, HOUR_US, ROLLUPS

_STORED = """
SELECT mtd.to_us(hour) FROM mtd.telemetry_axis WHERE device_id = %(device)s AND hour >= %(since)s AND hour < %(until)s
UNION
SELECT mtd.to_us(date_bin('1 hour', ts_collected, 'epoch')) FROM mtd.telemetry_frame
WHERE device_id = %(device)s AND ts_collected >= %(since)s AND ts_collected < %(until)s
"""


def stored_hours(connection: ColdConnection, device_id: str, from_us: int, until_us: int) -> set[int]:
    """Return the hours of [from, until), counted since the epoch, of which something is stored."""
    rows = connection.fetch(
        _STORED, {"device": device_id, "since": timestamp(from_us), "until": timestamp(until_us)}
    )
    return {int(us) // HOUR_US for (us,) in rows}


def remove_days(connection: ColdConnection, device_id: str, from_us: int, until_us: int) -> None:
    """Delete all telemetry of a device over [from, until); it begins with a UTC day, as rollups do."""
    assert from_us % DAY_US == 0
    span = [timestamp(from_us), timestamp(until_us)]
    series = "SELECT series_id FROM mtd.series WHERE device_id = %s"
    connection.execute(
        f"DELETE FROM mtd.telemetry_block WHERE series_id IN ({series}) AND hour >= %s AND hour < %s",  # noqa: S608 - of constants
        [device_id, *span],
    )
    for table in ROLLUPS.values():
        connection.execute(
            f"DELETE FROM mtd.{table.name} WHERE series_id IN ({series}) AND start >= %s AND start < %s",  # noqa: S608
            [device_id, *span],
        )
    connection.execute(
        "DELETE FROM mtd.telemetry_axis WHERE device_id = %s AND hour >= %s AND hour < %s", [device_id, *span]
    )
    connection.execute(
        "DELETE FROM mtd.telemetry_frame WHERE device_id = %s AND ts_collected >= %s AND ts_collected < %s",
        [device_id, *span],
    )
