"""Flow records as exporters send them: NetFlow v5 and v9, IPFIX, sFlow v5."""

from mtd.codec.flows.columns import ADDRESS, Flows, text_of
from mtd.codec.flows.errors import NotFlows
from mtd.codec.flows.exporter import Counts, Exporter, Learned, Limits
from mtd.codec.flows.sflow import SflowAgent, SflowCounts
from mtd.codec.flows.templates import Field, Template

__all__ = [
    "ADDRESS",
    "Counts",
    "Exporter",
    "Field",
    "Flows",
    "Learned",
    "Limits",
    "NotFlows",
    "SflowAgent",
    "SflowCounts",
    "Template",
    "text_of",
]
