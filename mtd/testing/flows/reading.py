"""What reading datagrams costs: ours, ours with what is kept of them, and the package ``netflow``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import netflow

from mtd.codec.flows import Exporter
from mtd.codec.flows.block import MOST_RECORDS
from mtd.listeners.flows.config import FlowsConfig
from mtd.listeners.flows.receiver import Receiver
from mtd.listeners.udp import Received
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.flows import FlowPortion
from mtd.testing.flows.prepared import Prepared
from mtd.testing.harness import HarnessFailed

_ADDRESS = "192.0.2.1"
_THEIR_RECORDS = 30_000  # of a turn: it takes a third of a second for these


@dataclass(slots=True)
class Turn:
    """What one turn read, and the processor time that it took."""

    records: int = 0
    octets: int = 0
    cpu_s: float = 0.0
    block_bytes: int = 0

    @property
    def rate(self) -> float:
        """Records a second of processor time."""
        return self.records / self.cpu_s


def measure_reading(prepared: Prepared, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Read the same datagrams in turns; return the medians. Raises HarnessFailed if somebody reads something else."""
    contenders: Mapping[str, Callable[[Prepared], Turn]] = {
        "decode": _decode,
        "decode_encode": _decode_encode,
        "netflow_package": _package,
    }
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, contender in contenders.items():
            say(f"{prepared.name}, round {number + 1} of {rounds}: {name}")
            turns[name].append(contender(prepared))
    for name in ("decode", "decode_encode"):
        _check(name, turns[name][-1], prepared)
    rates = {name: statistics.median(turn.rate for turn in found) for name, found in turns.items()}
    records = prepared.truth.records
    return {
        "records": records,
        "datagrams": prepared.truth.datagrams,
        "datagram_bytes_per_record": round(sum(map(len, prepared.datagrams)) / records, 2),
        "decode_records_per_s": round(rates["decode"]),
        "netflow_package_records_per_s": round(rates["netflow_package"]),
        "times_the_package": round(rates["decode"] / rates["netflow_package"], 1),
        "decode_encode_records_per_s": round(rates["decode_encode"]),
        "block_bytes_per_record": round(turns["decode_encode"][-1].block_bytes / records, 2),
    }


def _check(name: str, turn: Turn, prepared: Prepared) -> None:
    truth = prepared.truth
    if (turn.records, turn.octets) != (truth.records, truth.octets):
        raise HarnessFailed(
            f"{name} read {turn.records} records with {turn.octets} octets of {prepared.name}; sent were"
            f" {truth.records} with {truth.octets}"
        )


def _decode(prepared: Prepared) -> Turn:
    """Decode alone, so many records at a time as a worker has."""
    turn, exporter, datagrams = Turn(), Exporter(), prepared.datagrams
    began = time.process_time()
    for datagram in datagrams:
        exporter.feed(datagram, 1)
        if exporter.waiting >= MOST_RECORDS:
            _take(exporter, turn)
    _take(exporter, turn)
    turn.cpu_s = time.process_time() - began
    return turn


def _take(exporter: Exporter, turn: Turn) -> None:
    for flows in exporter.take():
        turn.records += flows.count
        turn.octets += int(flows.columns["octets"].sum())


def _decode_encode(prepared: Prepared) -> Turn:
    """Do all that a worker does between its socket and its pipe: a minute is one block, or as many as it needs."""
    turn = Turn()

    def send(portion: FlowPortion, _: str) -> bool:
        turn.records += portion.records
        turn.octets += portion.octets
        turn.block_bytes += len(portion.block)
        return True

    receiver = Receiver(FlowsConfig(), send)
    receiver.know({_ADDRESS: DEFAULT_TENANT_ID})
    now_us = time.time_ns() // 1000
    datagrams = [
        [Received(now_us + number * 1_000_000, datagram, _ADDRESS) for datagram in second]
        for number, second in enumerate(prepared.seconds)
    ]
    began = time.process_time()
    for number, second in enumerate(datagrams, 1):
        for datagram in second:
            receiver.put(datagram)
        if number % round(FlowsConfig().flush_s) == 0:
            receiver.flush()
    receiver.flush()
    turn.cpu_s = time.process_time() - began
    return turn


def _package(prepared: Prepared) -> Turn:
    turn = Turn()
    templates: dict[str, Any] = {"netflow": {}, "ipfix": {}}
    began = time.process_time()
    for datagram in prepared.datagrams:
        turn.records += len(netflow.parse_packet(datagram, templates).flows)
        if turn.records >= _THEIR_RECORDS:
            break
    turn.cpu_s = time.process_time() - began
    return turn
