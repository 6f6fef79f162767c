"""Which Odoo the tests run: its source is named by ODOO_PATH, what it needs is in ``.venv/odoo``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = ROOT / ".venv/odoo"
ADDON = "mikrotik_monitoring"
ADDONS = ROOT / "odoo_addon"


class OdooMissing(RuntimeError):
    """There is no Odoo here that could be run; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An Odoo 17, and the Python that runs it."""

    root: Path
    python: Path

    @property
    def program(self) -> Path:
        """Return its odoo-bin."""
        return self.root / "odoo-bin"

    @property
    def addons(self) -> list[Path]:
        """Return the folders with its own addons: one in a package, two in a checkout."""
        return [path for path in (self.root / "odoo/addons", self.root / "addons") if path.is_dir()]


def find_installation() -> Installation:
    """Return the Odoo of this machine, or raise OdooMissing."""
    named = os.environ.get("ODOO_PATH", "")
    if not named:
        raise OdooMissing("no Odoo 17 here: name its folder in ODOO_PATH, and call scripts/setup_odoo")
    root = Path(named).expanduser()
    if not (root / "odoo-bin").is_file():
        raise OdooMissing(f"there is no odoo-bin in ODOO_PATH ({root})")
    # Written last, when all that Odoo needs is there.
    if not (ENVIRONMENT / "mtd-setup.stamp").exists():
        raise OdooMissing("what Odoo needs is not installed: call scripts/setup_odoo")
    return Installation(root.resolve(), ENVIRONMENT / "bin/python")
