"""Records of one template that came, and weren't read yet."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mtd.codec.flows.columns import Flows
from mtd.codec.flows.messages import IPFIX, V5, V9
from mtd.codec.flows.sole import BEGIN, heads_of
from mtd.codec.flows.templates import RecordFormat

_TOLD = struct.Struct("=qqqqq")  # a list of numbers for each would take NumPy as long as all else
_TOLD_NUMBERS = 5
_AT_ONCE = 256  # the memory of so many is there for the next ones
_FORMS = {V5: "netflow5", V9: "netflow9", IPFIX: "ipfix"}


class Waiting:
    """Sets of records, and what the message of each says of all of them.

    ``sampling_of``: of how many packets one was looked at, for records that have what messages tell of it.
    """

    def __init__(
        self,
        version: int,
        domain: int,
        known: RecordFormat,
        sampling_of: Callable[[Flows], NDArray[np.uint32]],
    ) -> None:
        self._version = version
        self._domain = domain
        self._known = known
        self._sampling_of = sampling_of
        self._data: list[bytes] = []
        self._told: list[bytes] = []
        self._whole: list[bytes] = []  # behind those
        self._whole_records: list[int] = []
        self._whole_us: list[int] = []

    def add_whole(self, datagram: bytes, records: int, received_us: int) -> None:
        """Put a datagram aside that is one set of records; see ``mtd.codec.flows.sole``."""
        self._whole.append(datagram)
        self._whole_records.append(records)
        self._whole_us.append(received_us)

    def add(
        self, data: bytes, records: int, exported_ms: int, uptime_ms: int, sampling: int, received_us: int
    ) -> None:
        """Put the records of a set aside. ``uptime_ms`` counts where messages tell it, ``sampling``: 0 if it isn't told."""
        if self._whole:
            self._look_at_whole()
        self._data.append(data)
        self._told.append(_TOLD.pack(records, exported_ms, uptime_ms, sampling, received_us))

    def read(self) -> Flows:
        """Return all of them."""
        if self._whole:
            self._look_at_whole()
        told = np.frombuffer(b"".join(self._told), np.int64).reshape(-1, _TOLD_NUMBERS)
        records = told[:, 0]
        exported_ms, uptime_ms, received_us = (np.repeat(told[:, place], records) for place in (1, 2, 4))
        columns = self._known.read(
            b"".join(self._data), exported_ms, None if self._version == IPFIX else uptime_ms
        )
        sampling = np.repeat(told[:, 3].astype(np.uint32), records)
        found = Flows(len(exported_ms), columns, exported_ms, received_us, sampling)
        found.sampling = self._sampling_of(found)
        found.form, found.domain = _FORMS[self._version], self._domain
        return found

    def _look_at_whole(self) -> None:
        """Take the records out of whole datagrams, and what these say of them."""
        whole, self._whole = self._whole, []
        records, self._whole_records = self._whole_records, []
        received_us, self._whole_us = self._whole_us, []
        told = np.empty((len(whole), _TOLD_NUMBERS), np.int64)
        told[:, 0], told[:, 4] = records, received_us
        told[:, 1], told[:, 2], told[:, 3] = heads_of(self._version, whole)
        self._told.append(told.tobytes())
        begin, size = BEGIN[self._version], self._known.size
        for first in range(0, len(whole), _AT_ONCE):
            some = zip(whole[first : first + _AT_ONCE], records[first : first + _AT_ONCE], strict=True)
            self._data.append(b"".join([one[begin : begin + count * size] for one, count in some]))
