from pathlib import Path

from mtd.testing.contract import EggContract
from mtd_collector_timing import COLLECTOR


class TestContract(EggContract):
    collector = COLLECTOR
    samples = Path(__file__).parent.parent / "samples"
