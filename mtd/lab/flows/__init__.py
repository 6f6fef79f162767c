"""Flows of lab routers: seeded traffic, the datagrams that tell of it, and exact sums of what was told.

NetFlow v5 and v9, IPFIX with the templates of RouterOS, and sFlow v5; written without a line of the decoders'.
"""

from mtd.lab.flows.generator import FlowGenerator, FlowPlan, Generated
from mtd.lab.flows.layouts import Dialect
from mtd.lab.flows.sender import FlowSender
from mtd.lab.flows.traffic import Records
from mtd.lab.flows.truth import FlowTruth, Sums

__all__ = [
    "Dialect",
    "FlowGenerator",
    "FlowPlan",
    "FlowSender",
    "FlowTruth",
    "Generated",
    "Records",
    "Sums",
]
