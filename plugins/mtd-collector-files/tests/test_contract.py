from pathlib import Path

from mtd.testing.contract import EggContract
from mtd_collector_files import COLLECTOR


class TestContract(EggContract):
    collector = COLLECTOR
    samples = Path(__file__).parent.parent / "samples"
