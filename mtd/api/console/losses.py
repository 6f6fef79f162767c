"""What listeners took in, kept and lost since mtd started, as the page of drops tells it: the metrics, in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from mtd.ingest import metrics as ingest
from mtd.listeners import metrics as listeners
from mtd.listeners.flows import metrics as flows
from mtd.listeners.traps import metrics as traps

CAME, KEPT, LOST, ODD = "came", "kept", "lost", "odd"
"""What a figure is of: what came, what of it was kept, what was lost, and what is kept and looks wrong."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One counter. ``by``: the label that its parts are told by. Where several listeners share it, theirs is read."""

    name: str
    label: str
    kind: str
    metric: MetricWrapperBase
    help: str
    by: str = ""

    def read(self, listener: str) -> tuple[float, dict[str, float]]:
        """Return the sum of a listener, and its parts."""
        parts: dict[str, float] = {}
        total = 0.0
        for family in self.metric.collect():
            for sample in family.samples:
                if not sample.name.endswith("_total") or sample.labels.get("listener", listener) != listener:
                    continue
                total += sample.value
                part = sample.labels.get(self.by, "")
                if part and sample.value:
                    parts[part] = parts.get(part, 0.0) + sample.value
        return total, parts


LABELS: Mapping[str, str] = MappingProxyType(
    {"syslog": "Log lines (syslog)", "flows": "Flows", "traps": "SNMP traps"}
)

# fmt: off
LOSSES: Mapping[str, Sequence[Loss]] = MappingProxyType({
    "syslog": (
        Loss("received", "Lines received", CAME, listeners.RECEIVED, "Over UDP, TCP and TLS, of whomever."),
        Loss("kernel", "Dropped by the kernel", LOST, listeners.KERNEL_DROPPED,
             "Its buffer was full: raise net.core.rmem_max and syslog.receive_buffer_bytes."),
        Loss("dropped", "Dropped", LOST, listeners.DROPPED, "Received and not stored.", "reason"),
        Loss("recorder", "Lost behind the listener", LOST, ingest.DROPPED_LINES,
             "The event log took no more, and the buffer before it was full."),
        Loss("connections", "Connections refused", LOST, listeners.REFUSED_CONNECTIONS,
             "What they would have sent isn't known.", "reason"),
        Loss("handshakes", "Handshakes of TLS that failed", LOST, listeners.FAILED_HANDSHAKES,
             "What they would have sent isn't known.", "reason"),
        Loss("stored", "Lines stored", KEPT, listeners.STORED, "Passed on to the event log."),
        Loss("repeats", "Repeats of these", KEPT, listeners.REPEATS, "Stored as the number of times that another came again."),
        Loss("cut", "Lines cut", ODD, listeners.CUT, "Too long: their beginnings were kept."),
    ),
    "flows": (
        Loss("datagrams", "Datagrams received", CAME, flows.DATAGRAMS, "Of known exporters."),
        Loss("unknown", "Datagrams of unknown senders", LOST, flows.UNKNOWN_DATAGRAMS, "They aren't read."),
        Loss("lost", "Lost on the way", LOST, flows.LOST,
             "By the exporters' own numbers: flows of NetFlow v5, messages of v9, records of IPFIX, datagrams of sFlow."),
        Loss("kernel", "Dropped by the kernel", LOST, listeners.KERNEL_DROPPED,
             "Datagrams; its buffer was full: raise net.core.rmem_max, flows.receive_buffer_bytes or flows.workers."),
        Loss("malformed", "Malformed datagrams", LOST, flows.MALFORMED, "They couldn't be read, or not to their end.", "reason"),
        Loss("held_dropped", "Sets given up", LOST, flows.HELD_DROPPED, "Their template hadn't come, and there was no more room."),
        Loss("templates_dropped", "Templates forgotten", LOST, flows.TEMPLATES_DROPPED, "Their exporter has too many."),
        Loss("dropped", "Records dropped", LOST, flows.DROPPED, "Read and not stored.", "reason"),
        Loss("recorder", "Records lost behind the listener", LOST, ingest.DROPPED_FLOWS,
             "The event log took no more, and the buffer before it was full."),
        Loss("stored", "Records stored", KEPT, flows.STORED, "Passed on to the event log."),
        Loss("held", "Sets that waited", KEPT, flows.HELD, "They came before their template."),
        Loss("suspect", "Suspect records", ODD, flows.SUSPECT, "Stored, and say what can't be.", "what"),
        Loss("template_conflicts", "Templates in conflict", ODD, flows.TEMPLATE_CONFLICTS,
             "A number got another layout while it was in use: two exporters behind one address, or somebody who forges."),
        Loss("unkept", "Templates not written", ODD, flows.TEMPLATES_UNKEPT,
             "Times that they couldn't be written to disk; after a restart records would wait for new ones."),
        Loss("restarts", "Exporters that began anew", ODD, flows.RESTARTS,
             "Their templates were forgotten: records wait for new ones."),
    ),
    "traps": (
        Loss("received", "Datagrams received", CAME, listeners.RECEIVED, "Of whomever."),
        Loss("kernel", "Dropped by the kernel", LOST, listeners.KERNEL_DROPPED,
             "Its buffer was full: raise net.core.rmem_max and traps.receive_buffer_bytes."),
        Loss("dropped", "Dropped", LOST, listeners.DROPPED, "Received and not stored.", "reason"),
        Loss("stored", "Traps stored", KEPT, listeners.STORED, "Passed on to the event log."),
        Loss("repeats", "Traps that came once more", KEPT, traps.REPEATED, "Stored once."),
        Loss("unanswered", "Informs without an answer", ODD, traps.UNANSWERED, "Stored; their senders may send them again."),
        Loss("unnamed", "Interfaces without a name", ODD, traps.UNNAMED, "Stored under their numbers."),
    ),
})
"""By listener, in the order in which it happens."""
# fmt: on


def read_losses(listener: str) -> list[dict[str, Any]]:
    """Return the figures of a listener as the console's JSON has them."""
    found = []
    for loss in LOSSES.get(listener, ()):
        total, parts = loss.read(listener)
        found.append(
            {
                "name": loss.name,
                "label": loss.label,
                "kind": loss.kind,
                "value": int(total),
                "help": loss.help,
                "parts": [{"name": name, "value": int(value)} for name, value in sorted(parts.items())],
            }
        )
    return found
