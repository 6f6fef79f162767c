"""One simulated router: its doors, its sessions, and the faults in force."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from mtd.lab.clock import TICKS_PER_S, LabClock
from mtd.lab.console import Console
from mtd.lab.faults import WireFault, wire_fault, wire_length_s
from mtd.lab.flows import FlowSender
from mtd.lab.listener import Listener
from mtd.lab.personality import personality
from mtd.lab.rest import RestVisitor
from mtd.lab.scenario import MOMENTARY, Door, Fault, FaultKind
from mtd.lab.session import Session
from mtd.lab.snmp import SnmpAgent
from mtd.lab.state import RouterState
from mtd.lab.syslog import LogSender, link_changes, link_message
from mtd.lab.timeline import AppliedFault
from mtd.lab.traps import TrapSender
from mtd.lab.truth import RouterTruth
from mtd.lab.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Place:
    """Where a door is to be: its port, 0 for any free one, and its TLS side, None for plain TCP."""

    port: int
    context: ssl.SSLContext | None


class LabRouter:
    """Serves the API for one RouterTruth, REST if it has a place, and SNMP if its specification has a port."""

    def __init__(
        self, truth: RouterTruth, clock: LabClock, host: str, api: Place, rest: Place | None = None
    ) -> None:
        persona = personality(truth.spec.version, truth.spec.tag_first)
        self.truth = truth
        self.state = RouterState(truth, persona, clock, self.inject)
        self.console = Console(self.state)
        self._log_sender: LogSender | None = None
        if truth.spec.syslog is not None:
            self._log_sender = LogSender(self.state, truth.spec.syslog, truth.spec.syslog_form)
            self.state.on_log = self._log_sender.send
        self._trap_sender: TrapSender | None = None
        if truth.spec.traps is not None:
            self._trap_sender = TrapSender(self.state, truth.spec.traps)
        self.flow_sender: FlowSender | None = None
        if truth.spec.flows is not None:
            self.flow_sender = FlowSender(self.state, truth.spec.flows)
        self.sessions: set[Visitor] = set()
        self.faults: list[WireFault] = []
        self.live: list[AppliedFault] = []
        self._clock = clock
        self._in_force: dict[int, tuple[AppliedFault, WireFault]] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._faults_at: dict[Door, list[WireFault]] = {door: [] for door in Door}
        self.listeners: dict[Door, Listener | SnmpAgent] = {
            Door.API: Listener(host, api.port, api.context, lambda: Session(self), self._handshake_failed)
        }
        if rest is not None:
            self.listeners[Door.REST] = Listener(
                host, rest.port, rest.context, lambda: RestVisitor(self), self._handshake_failed
            )
        if truth.spec.snmp_port is not None:
            self.listeners[Door.SNMP] = SnmpAgent(self, host, truth.spec.snmp_port, truth.spec.community)

    @property
    def name(self) -> str:
        """The router's name."""
        return self.truth.spec.name

    def start(self) -> None:
        """Open the doors and set the alarm for each planned fault."""
        for listener in self.listeners.values():
            listener.start()
        self.state.port = self.port(Door.API)
        self.state.rest_port = self.port(Door.REST)
        self._booted()
        if self.flow_sender is not None:
            self.flow_sender.start()
        now = self._clock.now_tick()
        for applied in list(self.truth.applied):
            self._at((applied.start_tick - now) / TICKS_PER_S, self._begin, applied)

    def stop(self) -> None:
        """Close the doors and all sessions."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for listener in self.listeners.values():
            listener.stop()
        for session in list(self.sessions):
            session.abort()
        self.state.on_log = None
        if self._log_sender is not None:
            self._log_sender.close()
        if self._trap_sender is not None:
            self._trap_sender.close()
        if self.flow_sender is not None:
            self.flow_sender.close()

    def inject(self, fault: Fault) -> AppliedFault:
        """Let a fault begin now, whatever its ``at_s``."""
        applied = self.truth.schedule(fault, self._clock.now_tick())
        self.live.append(applied)
        self.truth.apply(applied)
        self._begin(applied)
        return applied

    def clear(self, kind: FaultKind | None = None) -> int:
        """End the faults in force, or those of a kind; return how many there were.

        What happens at a moment (a reboot, a reset) can't be undone.
        """
        now = self._clock.now_tick()
        hit = [
            applied
            for applied in self.truth.applied
            if applied.start_tick <= now
            and (applied.end_tick is None or applied.end_tick > now)
            and kind in (None, applied.fault.kind)
            and applied.fault.kind not in MOMENTARY
        ]
        for applied in hit:
            self.truth.end(applied, now)
            self._end(applied)
            if applied.fault.kind is FaultKind.TEMPLATES_WITHHELD and self.flow_sender is not None:
                self.flow_sender.withhold_templates(0)
            if applied.fault.kind is FaultKind.LINK_FLAP:
                for one in applied.fault.interfaces:
                    self._link_changed(one, up=True)
        return len(hit)

    def has_fault(self, kind: FaultKind, door: Door) -> bool:
        """Whether a fault of the wire is in force at a door."""
        return any(fault.fault.kind is kind for fault in self._faults_at[door])

    def faults_at(self, door: Door) -> Sequence[WireFault]:
        """Return the faults of the wire that are in force at a door."""
        return self._faults_at[door]

    def listeners_of(self, doors: Collection[Door]) -> list[Listener | SnmpAgent]:
        """Return the ports of these doors."""
        return [listener for door, listener in self.listeners.items() if door in doors]

    def sessions_of(self, doors: Collection[Door]) -> list[Visitor]:
        """Return the sessions at these doors."""
        return [session for session in self.sessions if session.door in doors]

    def port(self, door: Door) -> int:
        """Return the port of a door; 0 if there is none."""
        listener = self.listeners.get(door)
        return 0 if listener is None else listener.port

    def _begin(self, applied: AppliedFault) -> None:
        if applied.fault.kind is FaultKind.LINK_FLAP:
            self._change_due(applied, link_changes(applied, applied.fault.interfaces))
        self._trouble_flows(applied)
        acting = wire_fault(applied.fault)
        now = self._clock.now_tick()
        if acting is None or (applied.end_tick is not None and applied.end_tick <= now):
            return
        self._in_force[id(applied)] = (applied, acting)
        self.faults.append(acting)
        for door in acting.doors:
            self._faults_at[door].append(acting)
        acting.begin(self)
        length_s = wire_length_s(applied.fault)
        if length_s is not None:
            self._at(length_s, self._end, applied)

    def _end(self, applied: AppliedFault) -> None:
        _, acting = self._in_force.pop(id(applied), (None, None))
        if acting is not None:
            self.faults.remove(acting)
            for door in acting.doors:
                self._faults_at[door].remove(acting)
            acting.end(self)
            if applied.fault.kind is FaultKind.REBOOT:
                self._booted()

    def _booted(self) -> None:
        self.state.write_log("system,info", "router rebooted")
        if self._trap_sender is not None:
            self._trap_sender.started()

    def _trouble_flows(self, applied: AppliedFault) -> None:
        """Let the sending of flows suffer as well: a router that boots sends none, and then begins anew."""
        sender = self.flow_sender
        if sender is None:
            return
        if applied.fault.kind is FaultKind.REBOOT:
            sender.stop()
            self._at(applied.fault.boot_s, lambda _: sender.restart(), applied)
        elif applied.fault.kind is FaultKind.TEMPLATES_WITHHELD:
            sender.withhold_templates(applied.fault.for_s)

    def _link_changed(self, interface_id: str, *, up: bool) -> None:
        """Tell that a link came or went, in the log and by a trap; nothing of an interface that isn't there."""
        segment = self.truth.segment(self._clock.now_tick())
        for one in self.truth.shown(segment):
            if one.id == interface_id:
                name, _ = self.truth.label(segment, one)
                self.state.write_log("interface,info", link_message(name, up=up))
                if self._trap_sender is not None:
                    self._trap_sender.link_changed(one.id, up=up)

    def _change_due(self, applied: AppliedFault, changes: Iterator[tuple[int, str, bool]]) -> None:
        """Tell of links that go down and up, each when it is due."""
        now = self._clock.now_tick()
        for tick, interface_id, up in changes:
            if tick > now:
                rest = partial(self._change_due, changes=chain([(tick, interface_id, up)], changes))
                self._at((tick - now) / TICKS_PER_S, rest, applied)
                return
            if applied.end_tick is None or tick <= applied.end_tick:  # else it was ended before
                self._link_changed(interface_id, up=up)

    def _at(self, delay_s: float, action: Callable[[AppliedFault], None], applied: AppliedFault) -> None:
        def run() -> None:
            self._timers.discard(timer)
            action(applied)

        timer = asyncio.get_running_loop().call_later(max(0.0, delay_s), run)
        self._timers.add(timer)

    def _handshake_failed(self) -> None:
        self.state.stats.wire_errors += 1
