"""Values over time as rows of CSV or of Parquet, written as they come."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from typing import IO, TYPE_CHECKING, Any

from mtd.client.errors import MtdClientError
from mtd.client.ranges import RangeResult, TimeSeries
from mtd.client.values import EPOCH

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = (
    "time",
    "device",
    "key",
    "metric",
    "instance",
    "label",
    "unit",
    "value",
    "value_int",
    "min",
    "max",
    "p95",
    "increase",
    "count",
)
"""``value``: as stored, or the mean of a bucket; of a counter as a double. ``value_int``: a counter, exactly."""

_ROWS_AT_ONCE = 200_000
_SECOND_US = 1_000_000
_MINUTE_US = 60 * _SECOND_US


class CsvWriter:
    """Writes rows with a header; numbers as they are exactly, nothing where there is none."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._file.write(",".join(COLUMNS) + "\n")
        self.rows = 0

    def write(self, device: str, result: RangeResult) -> None:
        """Write all points of an answer."""
        for series in result.series:
            self._file.writelines(_lines(device, series))
            self.rows += len(series.times_us)

    def close(self) -> None:
        """Do nothing: all was written."""


class ParquetWriter:
    """Writes row groups of some hundred thousand rows. Raises MtdClientError without pyarrow."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError:
            raise MtdClientError(
                "Parquet needs the package pyarrow",
                code="FAILED_PRECONDITION",
                reason="NO_PYARROW",
                hint="pip install 'mtd[export]', or write CSV",
            ) from None
        self._arrow = pyarrow
        text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        kinds = [pyarrow.timestamp("us", tz="UTC"), *[text] * 6, pyarrow.float64(), pyarrow.int64()]
        kinds += [pyarrow.float64()] * 3 + [pyarrow.int64()] * 2
        self._schema = pyarrow.schema(list(zip(COLUMNS, kinds, strict=True)))
        self._writer = pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[pa.Table] = []
        self.rows = 0

    def write(self, device: str, result: RangeResult) -> None:
        """Write all points of an answer, together with the next ones if they are few."""
        for series in result.series:
            self._waiting.append(self._table(device, series))
            self.rows += len(series.times_us)
        if sum(table.num_rows for table in self._waiting) >= _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write what waits, and the end of the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            table = self._arrow.concat_tables(self._waiting)
            # Each series came with dictionaries of its own.
            self._writer.write_table(table.unify_dictionaries())
            self._waiting.clear()

    def _table(self, device: str, series: TimeSeries) -> pa.Table:
        arrow, count = self._arrow, len(series.times_us)
        names = (device, series.key, series.metric, series.instance, series.label, series.unit)
        columns: list[Any] = [arrow.array(series.times_us, self._schema.field(0).type)]
        for number, name in enumerate(names, 1):
            indices = arrow.nulls(count, arrow.int32()).fill_null(0)
            columns.append(arrow.DictionaryArray.from_arrays(indices, arrow.array([name], arrow.string())))
            assert columns[-1].type == self._schema.field(number).type
        lists = _numbers(series)
        for field, values in zip(list(self._schema)[len(columns) :], lists, strict=True):
            columns.append(arrow.array(values, field.type) if len(values) else arrow.nulls(count, field.type))
        return arrow.Table.from_arrays(columns, schema=self._schema)


def _numbers(series: TimeSeries) -> tuple[Sequence[float] | Sequence[int], ...]:
    """Return the columns behind the names; an empty one where a series has none."""
    counter = series.lane == "counter"
    return (
        [float(value) for value in series.values] if counter else series.values,
        series.values if counter else (),
        series.minimum,
        series.maximum,
        series.p95,
        series.increases,
        series.counts,
    )


def _lines(device: str, series: TimeSeries) -> Iterator[str]:
    """Return the points as lines. Only names can need quotes: all else is numbers."""
    quoted = io.StringIO()
    names = (device, series.key, series.metric, series.instance, series.label, series.unit)
    csv.writer(quoted, lineterminator="").writerow(names)
    columns = (map(str, column) if len(column) else repeat("") for column in _numbers(series))
    cells = zip(map(_time_text, series.times_us), repeat(quoted.getvalue()), *columns, strict=False)
    return (line + "\n" for line in map(",".join, cells))


def _time_text(us: int) -> str:
    minutes, rest = divmod(us, _MINUTE_US)
    seconds, rest = divmod(rest, _SECOND_US)
    return f"{_minute_text(minutes)}{seconds:02d}.{rest:06d}Z"


@lru_cache(maxsize=64)
def _minute_text(minutes: int) -> str:
    return f"{EPOCH + dt.timedelta(minutes=minutes):%Y-%m-%dT%H:%M:}"
