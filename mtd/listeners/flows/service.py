"""The daemon's side of flows: opens the ports, keeps the workers running, and records what they read."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.service import TaskGroup
from mtd.core.worker_process import Patience, WorkerProcess
from mtd.listeners import metrics as listener_metrics
from mtd.listeners.directory import Directory, Kind
from mtd.listeners.flows import metrics
from mtd.listeners.flows.config import FlowsConfig
from mtd.listeners.flows.conflicts import Conflicts, conflict_of
from mtd.listeners.flows.domains import Domains
from mtd.listeners.flows.enrichment import Enrichments
from mtd.listeners.flows.handing import MOST_BYTES_EACH, WAITING, HandedOver
from mtd.listeners.flows.ledger import Account
from mtd.listeners.pipe import COUNTS, frames_of
from mtd.listeners.senders import Stranger
from mtd.listeners.sharing import close_all, shared_sockets
from mtd.listeners.turns import HELD_UP
from mtd.model.flows import SAMPLINGS, flow_event_of
from mtd.model.sighting import FoundBy, Sighting

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder
    from mtd.model.device import Device
    from mtd.pb.events.v1.envelope_pb2 import Envelope

logger = logging.getLogger(__name__)

NAME = "flows"
_KIND = Kind(FoundBy.FLOWS, "flows", "src-address of the target")
_WORKER = ("-m", "mtd.listeners.flows.worker")
_ADVICE = "end the program that has it, or set others with flows.ports here and in /ip traffic-flow target on the routers"
# While one hangs the kernel's buffer runs over; a busy machine takes some seconds to start one.
_PATIENCE = Patience(stop_s=3.0, silence_s=30.0)
_Owners = tuple[str, Mapping[int, str]]
"""Whose an address is, and those of its domains that the settings tell of: tenants' ids; empty ones are nobody's alone."""
_SAMPLINGS = {number: word for word, number in SAMPLINGS.items()}


class FlowsService:
    """Listens for flows, and records those of known devices. ``on_stranger`` is told of senders that are nobody's device.

    ``folder``: where templates are kept over a restart.
    """

    def __init__(
        self,
        config: FlowsConfig,
        recorder: Recorder,
        folder: Path,
        on_stranger: Callable[[Sighting], None] = lambda _: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._config = config
        self._recorder = recorder
        self._folder = folder
        self._clock = clock
        self._directory = Directory(_KIND, on_stranger, clock, lists_shared=False)
        self._kernel_dropped: dict[int, int] = {}
        self._unkept: dict[int, str] = {}
        self._conflicts = Conflicts(clock)
        self._domains = Domains(config.exporters)
        self._owners: Mapping[str, _Owners] = {}
        self._owned_since: dict[str, int] = {}
        self._number = 0  # of what workers were told last; see `_tell_known`
        self._known = b""
        self._handed = HandedOver(config.workers, self._record, self._is_held_up, self._write, clock)
        self._waiting_bytes: dict[int, int] = {}
        self._stopping = False
        self._tasks = TaskGroup("listeners.flows")
        self._recording: asyncio.Task[None] | None = None
        self._sockets: list[list[socket.socket]] = []
        self._accounts: list[Account] = []
        self._workers: list[WorkerProcess] = []
        self.exporters: dict[str, Counter[str]] = {}
        """What each exporter's datagrams came to, by address; see ``Source.counts``. ``sampling_*``: records that were stored,
        by where their sampling comes from."""
        WAITING.watch(
            self, FlowsService._read_waiting, lambda one: one._config.max_waiting_bytes * one._config.workers
        )

    def _read_waiting(self) -> float:
        return sum(self._waiting_bytes.values())

    def _is_held_up(self) -> bool:
        # The recorder would give up polls for flows.
        return self._recorder.pressure > HELD_UP and not self._stopping

    def _write(self, number: int, line: bytes) -> None:
        self._workers[number].write(line)

    @property
    def ports(self) -> Sequence[int]:
        """The ports, once it listens."""
        return [int(made.getsockname()[1]) for made in (self._sockets[0] if self._sockets else ())]

    @property
    def failure(self) -> str:
        """What an operator has to look at; empty if all is well."""
        if self._recording is not None and self._recording.done() and not self._stopping:
            return "what the workers read isn't recorded any more: the log says why; restart mtd"
        died = (worker.died for worker in self._workers)
        unkept = (f"templates can't be kept: {why}" for why in self._unkept.values() if why)
        return next(filter(None, (*died, *unkept)), "")

    @property
    def strangers(self) -> Sequence[Stranger]:
        """Senders that are nobody's device, the newest first."""
        return self._directory.strangers

    async def start(self) -> None:
        """Listen. Raises Misconfigured if a port can't be had."""
        config = self._config
        await asyncio.to_thread(Enrichments, config.enrichment)  # said now, and not by a worker that ends
        self._sockets = await shared_sockets(
            NAME, config.host, config.ports, config.workers, config.receive_buffer_bytes, _ADVICE
        )
        self._accounts = [Account(config.max_exporters) for _ in self._sockets]
        self._workers = [self._worker(number, some) for number, some in enumerate(self._sockets)]
        self._recording = self._tasks.spawn("record", self._handed.run())
        for worker in self._workers:
            await worker.start()
        logger.info("listening for flows on %s, UDP ports %s", config.host, ", ".join(map(str, self.ports)))

    async def stop(self) -> None:
        """End; what was received is read and passed on."""
        self._stopping = True
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        await self._tasks.stop()
        await self._handed.finish()
        for number, account in enumerate(self._accounts):
            self._settle(number)
            account.close()
        close_all(self._sockets)
        self._sockets = []

    def _worker(self, number: int, sockets: Sequence[socket.socket]) -> WorkerProcess:
        fds, account = [made.fileno() for made in sockets], self._accounts[number]
        settings = {
            "number": number,
            "folder": str(self._folder),
            "sockets": fds,
            "ledger": account.fd,
            "config": self._config.model_dump(mode="json"),
            "most_unrecorded_bytes": MOST_BYTES_EACH,
        }

        def job() -> bytes:
            # What the one before it handed over counts against what this one may.
            first = {**settings, "unrecorded_bytes": self._handed.bytes_of(number)}
            return json.dumps(first).encode() + b"\n" + self._known

        return WorkerProcess(
            NAME,
            _WORKER,
            job,
            lambda reader: self._hear(number, reader),
            fds=(*fds, account.fd),
            patience=_PATIENCE,
            on_end=lambda: self._settle(number),
            clock=self._clock,
        )

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        known = list(devices)
        self._directory.apply(known)
        self._domains.apply(known)
        self._tell_known()

    def apply_addresses(self, owners: Mapping[str, Sequence[str]]) -> None:
        """Know the ids of devices by the addresses on their interfaces."""
        self._directory.apply_addresses(owners)
        self._tell_known()

    def _tell_known(self) -> None:
        tenants, domains = self._directory.tenants, self._domains.tenants
        owners = {one: (tenants.get(one, ""), domains.get(one, {})) for one in (*tenants, *domains)}
        before, self._owners = self._owners, owners
        changed = [one for one in owners.keys() | before.keys() if owners.get(one) != before.get(one)]
        if not changed and self._known:
            return
        self._number += 1
        # What came while an address was somebody else's is none of the business of who has it now.
        for address in changed:
            self.exporters.pop(address, None)
            self._owned_since[address] = self._number
            if address not in owners:
                del self._owned_since[address]
        told = {
            "number": self._number,
            "known": {one: owner for one, (owner, _) in owners.items()},
            "domains": domains,
        }
        self._known = json.dumps(told).encode() + b"\n"
        for worker in self._workers:
            worker.write(self._known)

    # -- what a worker says ----------------------------------------------------------

    async def _hear(self, number: int, reader: asyncio.StreamReader) -> None:
        metrics.WORKER_STARTS.inc()
        async for kind, body in frames_of(reader):
            if kind == COUNTS:
                self._count(number, json.loads(body))
                self._workers[number].recovered()
                continue
            event = flow_event_of(body)
            batch = event.flow_batch
            self._accounts[number].hand_over(batch.exporter, batch.records)
            self._handed.put(number, event, len(body))
            await asyncio.sleep(0)

    def devices_of(self, address: str) -> Sequence[Device]:
        """Return the devices that can send from an address, whatever domain they tell."""
        found = (*self._directory.find(address), *self._domains.all_of(address))
        return list({device.device_id: device for device in found}.values())

    def _devices_of(self, address: str, domain: int) -> Sequence[Device]:
        found = self._domains.find(address, domain)
        return self._directory.find(address) if found is None else found

    def _record(self, event: Envelope) -> None:
        batch = event.flow_batch
        devices = self._devices_of(batch.exporter, batch.domain)
        if len(devices) != 1:
            self._drop(batch.exporter, devices, batch.records)
        elif devices[0].tenant_id != event.tenant_id:  # whose the address was when they came
            metrics.DROPPED.labels(reason="other_tenant").inc(batch.records)
        elif self._recorder.record_pushed(devices[0], event):
            metrics.STORED.inc(batch.records)
            told = f"sampling_{_SAMPLINGS.get(batch.sampling, 'assumed')}"
            self.exporters.setdefault(batch.exporter, Counter())[told] += batch.records
        else:
            metrics.DROPPED.labels(reason="not_recorded").inc(batch.records)

    def _drop(self, address: str, devices: Sequence[Device], records: int) -> None:
        """Count records of somebody that was removed meanwhile, or that several devices can be."""
        metrics.DROPPED.labels(reason="ambiguous_sender" if devices else "unknown_sender").inc(records)
        if devices:
            self._directory.confuse(address, self._clock.now_us(), devices)

    def _count(self, number: int, news: Mapping[str, Any]) -> None:
        """Take in what was counted since the last time."""
        account = self._accounts[number]
        for address, counts in news["exporters"].items():
            account.tell(address, counts)
            metrics.count(counts)
            if news["known"] < self._owned_since.get(address, news["known"] + 1):
                continue  # they are of who had it before
            self.exporters.setdefault(address, Counter()).update(counts)
            self._note_conflicts(address, counts.get("template_conflicts", 0))
        for address, counts in news["gone"].items():
            account.tell(address, counts)
            metrics.count(counts)
        metrics.TEMPLATES_UNKEPT.inc(news["unkept"])
        self._unkept[number] = news["unkept_why"]
        self._note_waiting(number, int(news["waiting_bytes"]))
        # The kernel counts for the socket, which outlives a worker.
        dropped, before = int(news["kernel_dropped"]), self._kernel_dropped.get(number, 0)
        if dropped > before:
            self._kernel_dropped[number] = dropped
            listener_metrics.KERNEL_DROPPED.labels(listener=NAME).inc(dropped - before)
        account.tell("", {"datagrams": sum(news["strangers"].values())})
        for address, datagrams in news["strangers"].items():
            metrics.UNKNOWN_DATAGRAMS.inc(datagrams)
            if address and not self._directory.find(address):  # it may be known since
                self._directory.meet(address, self._clock.now_us(), datagrams)

    def _note_waiting(self, number: int, size: int) -> None:
        self._waiting_bytes[number] = size
        metrics.WAITING_BYTES.labels(worker=str(number)).set(size)

    def _note_conflicts(self, address: str, count: int) -> None:
        """Tell of an exporter whose templates are given other layouts again and again."""
        message = self._conflicts.note(address, count)
        if not message:
            return
        logger.warning("%s", message)
        devices = self.devices_of(address)
        if len(devices) == 1:
            self._recorder.record_event(conflict_of(devices[0], message), devices[0])

    def _settle(self, number: int) -> None:
        """Count what a worker that has ended took in, and neither handed over nor told."""
        self._note_waiting(number, 0)
        died = self._accounts[number].settle()
        for one in died:
            if not one.address:
                metrics.UNKNOWN_DATAGRAMS.inc(one.datagrams)
                continue
            metrics.count(one.counts())
            if one.address in self._owners:
                self.exporters.setdefault(one.address, Counter()).update(one.counts())
        if records := sum(one.records for one in died):
            logger.error("a worker for flows ended with %d records in its memory: they are lost", records)
