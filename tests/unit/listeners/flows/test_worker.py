"""What a worker tells while nobody reads it: nothing, until somebody does; then all that was counted meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mtd.core.shared_numbers import SharedNumbers
from mtd.listeners.flows.config import FlowsConfig
from mtd.listeners.flows.ledger import numbers_for
from mtd.listeners.flows.worker import Worker
from mtd.listeners.pipe import COUNTS, PORTION
from tests.unit.codec.flows import kit
from tests.unit.listeners.flows.test_receiver import TEMPLATE, A, rows, send

_HEAD_BYTES = 5


class Pipe:
    """Keeps what is written to it until it is read."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.frames.append(data)

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.frames))


def test_counts_are_told_together_once_somebody_reads(tmp_path: Path) -> None:
    numbers = SharedNumbers(numbers_for(10))
    pipe = Pipe()
    job: dict[str, Any] = {
        "config": FlowsConfig(max_exporters=10).model_dump(mode="json"),
        **{"folder": str(tmp_path), "number": 0, "ledger": numbers.fd, "sockets": []},
        **{"most_unrecorded_bytes": 1000, "unrecorded_bytes": 0},
    }
    worker = Worker(job, pipe)  # type: ignore[arg-type]
    worker._obey({"number": 3, "known": {A: "t"}, "domains": {}})
    for number in range(100):
        send(worker._receiver, A, kit.v9(TEMPLATE, rows((1, 1)), sequence=number))
        worker._receiver.flush()
        worker._tell_if_read()
    assert pipe.get_write_buffer_size() < 2000
    before = [json.loads(one[_HEAD_BYTES:]) for one in pipe.frames if one[:1] == COUNTS]
    pipe.frames.clear()
    worker._tell_if_read()
    (news,) = (json.loads(one[_HEAD_BYTES:]) for one in pipe.frames)
    told = [one["exporters"][A]["datagrams"] for one in (*before, news)]
    assert (sum(told), told[-1] > 1, news["known"]) == (100, True, 3)
    assert news["waiting_bytes"] > 0
    worker._obey({"taken": 1000})
    assert {one[:1] for one in pipe.frames} == {COUNTS, PORTION}
    numbers.close()
