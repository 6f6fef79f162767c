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
from mtd.core.worker_process import Patience, WorkerProcess
from mtd.listeners import metrics as listener_metrics
from mtd.listeners.directory import Directory, Kind
from mtd.listeners.flows import metrics
from mtd.listeners.flows.config import FlowsConfig
from mtd.listeners.flows.conflicts import Conflicts, conflict_of
from mtd.listeners.flows.enrichment import Enrichments
from mtd.listeners.flows.ledger import Account
from mtd.listeners.pipe import COUNTS, frames_of
from mtd.listeners.senders import Stranger
from mtd.listeners.sharing import close_all, shared_sockets
from mtd.listeners.turns import HELD_UP, LOOK_AGAIN_S
from mtd.model.flows import SAMPLINGS, flow_event_of
from mtd.model.sighting import FoundBy, Sighting

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder
    from mtd.model.device import Device

logger = logging.getLogger(__name__)

NAME = "flows"
_KIND = Kind(FoundBy.FLOWS, "flows", "src-address of the target")
_WORKER = ("-m", "mtd.listeners.flows.worker")
_ADVICE = "end the program that has it, or set others with flows.ports here and in /ip traffic-flow target on the routers"
# While one hangs the kernel's buffer runs over; a busy machine takes some seconds to start one.
_PATIENCE = Patience(stop_s=3.0, silence_s=30.0)
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
        self._by_name: dict[str, list[Device]] = {}
        self._tenants: Mapping[str, str] = {}
        self._known: bytes | None = None
        self._sockets: list[list[socket.socket]] = []
        self._accounts: list[Account] = []
        self._workers: list[WorkerProcess] = []
        self.exporters: dict[str, Counter[str]] = {}
        """What each exporter's datagrams came to, by address; see ``Source.counts``. ``sampling_*``: records that were stored,
        by where their sampling comes from."""

    @property
    def ports(self) -> Sequence[int]:
        """The ports, once it listens."""
        return [int(made.getsockname()[1]) for made in (self._sockets[0] if self._sockets else ())]

    @property
    def failure(self) -> str:
        """What an operator has to look at; empty if all is well."""
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
        self._sockets = shared_sockets(
            NAME, config.host, config.ports, config.workers, config.receive_buffer_bytes, _ADVICE
        )
        self._accounts = [Account(config.max_exporters) for _ in self._sockets]
        self._workers = [self._worker(number, some) for number, some in enumerate(self._sockets)]
        for worker in self._workers:
            await worker.start()
        logger.info("listening for flows on %s, UDP ports %s", config.host, ", ".join(map(str, self.ports)))

    async def stop(self) -> None:
        """End; what was received is read and passed on."""
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        for account in self._accounts:
            self._settle(account)
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
        }
        first = json.dumps(settings).encode() + b"\n"
        return WorkerProcess(
            NAME,
            _WORKER,
            lambda: first + (self._known or b""),
            lambda reader: self._hear(number, reader),
            fds=(*fds, account.fd),
            patience=_PATIENCE,
            on_end=lambda: self._settle(account),
            clock=self._clock,
        )

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        known = list(devices)
        self._directory.apply(known)
        self._by_name = {}
        for device in known:
            self._by_name.setdefault(device.name, []).append(device)
        self._tell_known()

    def apply_addresses(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """Know the addresses on the interfaces of devices, by the ids of these."""
        self._directory.apply_addresses(addresses)
        self._tell_known()

    def _tell_known(self) -> None:
        named = {address: "" for address, exporter in self._config.exporters.items() if exporter.domains}
        tenants = {**named, **self._directory.tenants}
        # What came while an address was somebody else's is none of the business of who has it now.
        for address in [one for one in self.exporters if tenants.get(one) != self._tenants.get(one)]:
            del self.exporters[address]
        self._tenants = tenants
        known = json.dumps({"known": tenants}).encode() + b"\n"
        if known == self._known:
            return
        self._known = known
        for worker in self._workers:
            worker.write(known)

    # -- what a worker says ----------------------------------------------------------

    async def _hear(self, number: int, reader: asyncio.StreamReader) -> None:
        metrics.WORKER_STARTS.inc()
        async for kind, body in frames_of(reader):
            if kind == COUNTS:
                self._count(number, json.loads(body))
                self._workers[number].recovered()
                continue
            # What the log takes nothing of, waits in the worker: the recorder would give up polls for it.
            while self._recorder.pressure > HELD_UP:  # noqa: ASYNC110 - nobody tells when it is over
                await asyncio.sleep(LOOK_AGAIN_S)
            self._record(number, body)
            await asyncio.sleep(0)

    def devices_of(self, address: str) -> Sequence[Device]:
        """Return the devices that can send from an address, whatever domain they tell."""
        found = self._directory.find(address)
        exporter = self._config.exporters.get(address)
        if exporter is None or not exporter.domains:
            return found
        named = (device for name in exporter.domains.values() for device in self._by_name.get(name, ()))
        return list({device.device_id: device for device in (*found, *named)}.values())

    def _devices_of(self, address: str, domain: int) -> Sequence[Device]:
        exporter = self._config.exporters.get(address)
        name = None if exporter is None else exporter.domains.get(domain)
        return self._directory.find(address) if name is None else self._by_name.get(name, ())

    def _record(self, number: int, body: bytes) -> None:
        event = flow_event_of(body)
        batch = event.flow_batch
        self._accounts[number].hand_over(batch.exporter, batch.records)
        devices = self._devices_of(batch.exporter, batch.domain)
        if len(devices) != 1:
            self._drop(batch.exporter, devices, batch.records)
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
            self.exporters.setdefault(address, Counter()).update(counts)
            self._note_conflicts(address, counts.get("template_conflicts", 0))
        for address, counts in news["gone"].items():
            account.tell(address, counts)
            metrics.count(counts)
        metrics.TEMPLATES_UNKEPT.inc(news["unkept"])
        self._unkept[number] = news["unkept_why"]
        metrics.WAITING_BYTES.labels(worker=str(number)).set(news["waiting_bytes"])
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

    def _note_conflicts(self, address: str, count: int) -> None:
        """Tell of an exporter whose templates are given other layouts again and again."""
        message = self._conflicts.note(address, count)
        if not message:
            return
        logger.warning("%s", message)
        devices = self.devices_of(address)
        if len(devices) == 1:
            self._recorder.record_event(conflict_of(devices[0], message), devices[0])

    def _settle(self, account: Account) -> None:
        """Count what a worker that has ended took in, and neither handed over nor told."""
        died = account.settle()
        for one in died:
            if not one.address:
                metrics.UNKNOWN_DATAGRAMS.inc(one.datagrams)
                continue
            metrics.count(one.counts())
            if one.address in self._tenants:
                self.exporters.setdefault(one.address, Counter()).update(one.counts())
        if records := sum(one.records for one in died):
            logger.error("a worker for flows ended with %d records in its memory: they are lost", records)
