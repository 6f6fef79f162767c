"""One exporter: what flows it sees, how it sends them, and the truth about both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from mtd.lab.flows.layouts import V5_LAYOUT, Dialect, layouts_of
from mtd.lab.flows.netflow import Ipfix, Moment, NetFlow5, NetFlow9
from mtd.lab.flows.sflow import Sflow5, as_packets, told_of
from mtd.lab.flows.traffic import Records, Traffic
from mtd.lab.flows.truth import FlowTruth
from mtd.lab.scenario import FlowForm


@dataclass(frozen=True, slots=True)
class FlowPlan:
    """How an exporter is set up. ``interfaces``: their indexes, uplinks first. ``agent``: what it calls itself in sFlow.

    ``sampling``: one of how many packets it looks at; 0: all, and it says nothing of it. It is told in the header of
    version 5, in each record ``sampling_in_records`` (as RouterOS does in version 9), else by options.
    ``templates_every``: so many datagrams after the last ones they are sent again. ``active_s`` and ``inactive_s``:
    after how long flows are told that go on, and that are idle.
    """

    form: FlowForm = FlowForm.NETFLOW9
    dialect: Dialect = Dialect.ROUTEROS7
    sampling: int = 0
    sampling_in_records: bool = False
    templates_every: int = 20
    active_s: float = 60.0
    inactive_s: float = 15.0
    v6_pct: float = 10.0
    interfaces: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    agent: str = "127.0.0.1"


class _Sender(Protocol):
    def datagrams(self, records: Records, at: Moment, *, withheld: bool) -> Iterator[bytes]: ...


@dataclass(slots=True)
class Generated:
    """Datagrams in their order, and the flows in them, in theirs."""

    datagrams: list[bytes] = field(default_factory=list)
    records: list[Records] = field(default_factory=list)


class FlowGenerator:
    """Makes the datagrams of one exporter. ``truth``: of all that it made since it began, whatever restarted.

    Follows from its plan, its key, and the times that it is given.
    """

    def __init__(self, plan: FlowPlan, *, key: int, boot_us: int, dimensions: bool = True) -> None:
        self.plan = plan
        self.truth = FlowTruth(dimensions=dimensions)
        self._boot_us = boot_us
        self._withheld_until_us = 0
        v6_pct = 0.0 if plan.form is FlowForm.NETFLOW5 else plan.v6_pct
        self._traffic = Traffic(key, plan.interfaces, v6_pct=v6_pct)
        self._sender = _sender_of(plan)

    def take(self, count: int, now_us: int) -> Generated:
        """Return so many flows as datagrams. ``now_us`` never goes back."""
        made = Generated()
        at = Moment(now_us, self._boot_us)
        active_ms, inactive_ms = round(self.plan.active_s * 1000), round(self.plan.inactive_s * 1000)
        withheld = now_us < self._withheld_until_us
        for records in self._traffic.take(count, at.uptime_ms, active_ms, inactive_ms):
            told = self._completed(records, at)
            made.records.append(told)
            made.datagrams += self._sender.datagrams(told, at, withheld=withheld)
            self._note(told)
        self.truth.datagrams += len(made.datagrams)
        return made

    def withhold_templates(self, until_us: int) -> None:
        """Send no templates until then, and whatever flows there are: who hasn't seen these before can't read it."""
        self._withheld_until_us = until_us

    def restart(self, now_us: int, *, withheld_s: float = 0.0, dialect: Dialect | None = None) -> None:
        """Begin anew: uptime and numbers from 0, templates after so long, and those of another version if one is given."""
        self.plan = replace(self.plan, dialect=dialect or self.plan.dialect)
        self._boot_us = now_us
        self._sender = _sender_of(self.plan)
        self.withhold_templates(max(self._withheld_until_us, now_us + round(withheld_s * 1e6)))

    def _completed(self, records: Records, at: Moment) -> Records:
        """Return flows with what the exporter's clock and settings say of all of them."""
        if self.plan.form is FlowForm.SFLOW5:
            return as_packets(records)
        columns, count = records.columns, len(records)
        boot_ms = at.boot_us // 1000
        columns["system_start_ms"] = np.full(count, boot_ms, np.uint64)
        columns["start_ms"] = columns["start_up_ms"] + boot_ms
        columns["end_ms"] = columns["end_up_ms"] + boot_ms
        columns["sampling_interval"] = np.full(count, self.plan.sampling, np.uint32)
        if self.plan.form is FlowForm.NETFLOW5:  # RouterOS has no numbers of autonomous systems there
            columns["src_as"] = columns["dst_as"] = np.zeros(count, np.uint32)
        return records

    def _note(self, records: Records) -> None:
        if self.plan.form is FlowForm.SFLOW5:
            for some, told in told_of(records):
                self.truth.add(some, told, self.plan.sampling)
        elif self.plan.form is FlowForm.NETFLOW5:
            self.truth.add(records, V5_LAYOUT.told, self.plan.sampling)
        else:
            layout = layouts_of(self.plan.form, self.plan.dialect)[records.version]
            self.truth.add(records, layout.told, self.plan.sampling)


def _sender_of(plan: FlowPlan) -> _Sender:
    if plan.form is FlowForm.NETFLOW5:
        return NetFlow5(plan.sampling)
    if plan.form is FlowForm.SFLOW5:
        return Sflow5(plan.agent, plan.sampling)
    layouts = layouts_of(plan.form, plan.dialect)
    if plan.sampling and plan.sampling_in_records:
        layouts = {version: layout.with_sampling() for version, layout in layouts.items()}
    by_options = 0 if plan.sampling_in_records else plan.sampling
    kind = NetFlow9 if plan.form is FlowForm.NETFLOW9 else Ipfix
    return kind(layouts, plan.templates_every, by_options)
