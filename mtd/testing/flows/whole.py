"""From the socket to sums in PostgreSQL: a daemon as it is run, exporters that send prepared datagrams to it."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from mtd.testing.end_to_end import postmaster_pid, wait_for_first_polls
from mtd.testing.flows.prepared import FORMS, Prepared, prepare, restamped
from mtd.testing.flows.stored import Stored, count_stored, is_summed
from mtd.testing.harness import Stage, free_udp_port, usage_of

Say = Callable[[str], None]

_SETTLE_S, _IDLE_S = 10.0, 20.0
_SLOTS = 20  # of a second: datagrams come evenly
_NO_PROGRESS_S = 30.0
_SUMS_S = 180.0  # the last minute has to end first, and late records are waited for
_LOOK_S = 0.5
_WORKERS = {"flow_workers": "mtd.listeners.flows.worker", "sums_worker": "mtd.flowsums.worker"}
_LOSSES = {
    "kernel_dropped_datagrams": "mtd_listeners_kernel_dropped_total",
    "unknown_sender_datagrams": "mtd_flows_unknown_sender_datagrams_total",
    "malformed_datagrams": "mtd_flows_malformed_datagrams_total",
    "dropped_records": "mtd_flows_dropped_records_total",
    "dropped_sets": "mtd_flows_dropped_sets_total",
    "lost_by_sequence": "mtd_flows_lost_total",
}


@dataclass(frozen=True, slots=True)
class WholePlan:
    """What to send: ``rate`` flows a second, of all exporters together."""

    exporters: int = 4
    rate: int = 20_000
    seconds: int = 60


@dataclass(slots=True)
class _Exporter:
    """One that sends: from its own address."""

    address: str
    prepared: Prepared
    made: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.made.bind((self.address, 0))


def measure_whole(folder: Path, plan: WholePlan, say: Say) -> dict[str, Any]:
    """Run all of it and return the figures. Raises HarnessFailed if something doesn't come up."""
    say("making datagrams")
    forms = [list(FORMS)[number % len(FORMS)] for number in range(plan.exporters)]
    rate = plan.rate // plan.exporters
    prepared = [
        prepare(form, plan.seconds, rate, number, dimensions=True) for number, form in enumerate(forms)
    ]
    port = free_udp_port()
    settings = {"flows": {"enabled": True, "host": "127.0.0.1", "ports": [port]}}
    with Stage(folder, settings=settings) as stage, contextlib.ExitStack() as ending:
        say("starting the lab, the daemon and its PostgreSQL")
        endpoints = stage.start_lab("--scenario", _scenario(folder, plan))["endpoints"]
        stage.start_daemon()
        stage.add_devices(endpoints)
        wait_for_first_polls(stage, len(endpoints), say)
        exporters = [
            _Exporter(endpoint["host"], some) for endpoint, some in zip(endpoints, prepared, strict=True)
        ]
        for exporter in exporters:
            ending.callback(exporter.made.close)
        return _measure(stage, exporters, port, plan, say)


def _scenario(folder: Path, plan: WholePlan) -> str:
    path = folder / "exporters.toml"
    path.write_text(f"own_addresses = true\n[fleet]\nrouters = {plan.exporters}\ninterfaces = 1\n")
    return str(path)


def _measure(
    stage: Stage, exporters: Sequence[_Exporter], port: int, plan: WholePlan, say: Say
) -> dict[str, Any]:
    time.sleep(_SETTLE_S)  # noqa: TID251 - a script's own wait, no reactor here
    before, began, losses_before = _cpu(stage), time.monotonic(), _losses(stage)
    behind_s = _send(exporters, port, plan, say)
    sent_s = time.monotonic() - began
    sent = sum(exporter.prepared.truth.records for exporter in exporters)
    with psycopg.connect(stage.dsn(), autocommit=True) as connection:
        stored = _wait(stage, sent, lambda: count_stored(connection, sums=False), say)
        stored_s = time.monotonic() - began
        stored = _wait_for_sums(stage, connection, stored.records, say)
    took_s = time.monotonic() - began
    after = _cpu(stage)
    losses = {name: count - losses_before[name] for name, count in _losses(stage).items()}
    idle = _idle(stage, say)
    cpu = {name: after[name] - before.get(name, 0.0) for name in after}
    net = {name: max(0.0, used - idle.get(name, 0.0) * took_s) for name, used in cpu.items()}
    return {
        "exporters": len(exporters),
        "sent_records": sent,
        "sent_datagrams": sum(exporter.prepared.truth.datagrams for exporter in exporters),
        "sent_records_per_s": round(sent / sent_s),
        "sender_behind_max_s": round(behind_s, 3),
        "stored_records": stored.records,
        "stored_after_s": round(stored_s - sent_s, 1),
        "summed_records": stored.sums.flows,
        "summed_after_s": round(took_s - sent_s, 1),
        "records_per_cpu_s": round(stored.records / sum(cpu.values())),
        "records_per_cpu_s_without_idle": round(stored.records / sum(net.values())),
        "cpu_s": _rounded(cpu),
        "idle_cpu_pct": _rounded({name: 100 * used for name, used in idle.items()}),
        "losses": losses,
        "exact": _compare(exporters, stored),
        "block_bytes_per_record": round(stored.block_bytes / max(stored.records, 1), 2),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
    }


def _idle(stage: Stage, say: Say) -> dict[str, float]:
    """Return the cores that each uses when there are no flows. At the end: at the start there is much to do once."""
    say("measuring what the daemon does without flows")
    before, began = _cpu(stage), time.monotonic()
    time.sleep(_IDLE_S)  # noqa: TID251
    after, took_s = _cpu(stage), time.monotonic() - began
    return {name: (after[name] - before.get(name, 0.0)) / took_s for name in after}


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(figure, 2) for name, figure in sorted(figures.items())}


def _send(exporters: Sequence[_Exporter], port: int, plan: WholePlan, say: Say) -> float:
    """Send each second's datagrams evenly; return how far behind that was at most, seconds."""
    began, behind_s = time.monotonic(), 0.0
    for number in range(plan.seconds):
        say(f"sending {plan.rate:,} flows a second, {plan.seconds - number} s to go")
        now = time.time_ns() // 1_000_000_000
        due = [(one, list(restamped(one.prepared.seconds[number], now))) for one in exporters]
        for slot in range(_SLOTS):
            wait_s = began + number + slot / _SLOTS - time.monotonic()
            behind_s = max(behind_s, -wait_s)
            if wait_s > 0:
                time.sleep(wait_s)  # noqa: TID251
            for exporter, datagrams in due:
                first, last = (len(datagrams) * one // _SLOTS for one in (slot, slot + 1))
                for datagram in datagrams[first:last]:
                    exporter.made.sendto(datagram, ("127.0.0.1", port))
    return behind_s


def _wait(stage: Stage, wanted: int, look: Callable[[], Stored], say: Say) -> Stored:
    """Wait until all is stored, or for a while nothing more is."""
    found, changed = look(), time.monotonic()
    while found.records < wanted and time.monotonic() - changed < _NO_PROGRESS_S:
        _check(stage)
        say(f"{found.records:,} of {wanted:,} records stored")
        time.sleep(_LOOK_S)  # noqa: TID251
        now = look()
        if now.records != found.records:
            changed = time.monotonic()
        found = now
    return found


def _wait_for_sums(stage: Stage, connection: psycopg.Connection[Any], records: int, say: Say) -> Stored:
    deadline = time.monotonic() + _SUMS_S
    while not is_summed(connection, records) and time.monotonic() < deadline:
        _check(stage)
        say(f"{records:,} records are summed up")
        time.sleep(_LOOK_S)  # noqa: TID251
    return count_stored(connection, sums=True)


def _check(stage: Stage) -> None:
    for process in (stage.lab, stage.daemon):
        if process is not None:
            process.check()


def _compare(exporters: Sequence[_Exporter], stored: Stored) -> dict[str, bool]:
    """Return whether what is stored is what was sent, to the octet."""
    truths = [exporter.prepared.truth for exporter in exporters]
    octets, packets = sum(one.octets for one in truths), sum(one.packets for one in truths)
    protocols: dict[int, int] = {}
    for truth in truths:
        for key, sums in truth.by("protocol").items():
            protocols[int(key)] = protocols.get(int(key), 0) + sums.octets
    return {
        "blocks": (stored.octets, stored.packets) == (octets, packets),
        "sums": (stored.sums.octets, stored.sums.packets) == (octets, packets),
        "sums_by_protocol": stored.by_protocol == protocols,
        "sums_of_all_dimensions_alike": all(one == octets for one in stored.by_dimension.values()),
    }


def _losses(stage: Stage) -> Mapping[str, int]:
    return {name: round(stage.metric(metric)) for name, metric in _LOSSES.items()}


def _cpu(stage: Stage) -> dict[str, float]:
    """Return processor seconds so far: the daemon's, its workers' and PostgreSQL's."""
    assert stage.daemon is not None
    postmaster = postmaster_pid(stage)
    workers = dict(_workers(stage.daemon.pid))
    found = {"postgresql": usage_of(postmaster).cpu_s}
    found["daemon"] = usage_of(stage.daemon.pid, without=[postmaster, *workers]).cpu_s
    for pid, name in workers.items():
        found[name] = found.get(name, 0.0) + usage_of(pid).cpu_s
    return found


def _workers(parent: int) -> Iterator[tuple[int, str]]:
    """Yield the processes that the daemon started for flows, and what they are."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            its_parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended while we looked
        for name, module in _WORKERS.items():
            if its_parent == parent and module in command:
                yield int(entry.name), name


def check(figures: Mapping[str, Any]) -> list[str]:
    """Return what isn't as it has to be: what was lost or isn't exact."""
    problems = [f"{name} isn't what was sent" for name, good in figures["exact"].items() if not good]
    problems += [f"{count} {name}" for name, count in figures["losses"].items() if count]
    if figures["stored_records"] != figures["sent_records"]:
        problems.append(f"{figures['stored_records']} of {figures['sent_records']} records were stored")
    return problems
