"""nfdump, a collector that nobody here wrote, keeps what lab exporters send: as many flows, and the same octets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtd.lab.flows import Dialect, FlowGenerator, FlowPlan
from mtd.lab.scenario import FlowForm
from mtd.testing.flows.nfdump import keep, program
from mtd.testing.missing import skip_without

NOW_US = 1_767_323_045_000_000
COUNT = 2000
PLANS = [
    FlowPlan(FlowForm.NETFLOW5),
    FlowPlan(FlowForm.NETFLOW5, sampling=100),
    FlowPlan(FlowForm.NETFLOW9),
    *(FlowPlan(FlowForm.IPFIX, dialect) for dialect in Dialect),
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.form}-{plan.dialect}-{plan.sampling}")
def test_nfdump_counts_what_was_sent(plan: FlowPlan, tmp_path: Path) -> None:
    if program("nfcapd") is None or program("nfdump") is None:
        skip_without("nfdump is not installed: run scripts/setup_tools nfdump")
    made = FlowGenerator(plan, key=3, boot_us=NOW_US - 86_400_000_000)
    kept = keep(made.take(COUNT, NOW_US).datagrams, tmp_path)
    # It multiplies by the sampling itself.
    assert (kept.flows, kept.octets) == (COUNT, made.truth.estimated.octets)
