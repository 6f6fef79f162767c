"""``mtd lab``."""

from __future__ import annotations

from mtd.lab.command import lab

__all__ = ["lab"]
