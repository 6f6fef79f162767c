"""How the ways to a device stand: which serves, and why no better one does."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtd.model.device import Way

REST_FACT = "rest"
"""Capability that tells where REST is: "www:80 www-ssl:443"."""

TABLE = "way"
"""Current-state table of the ways to a device, by way."""


class Standing(enum.StrEnum):
    """What a way is to its device."""

    SERVES = "serves"  # it answers the polls
    STANDBY = "standby"  # it is there, and not needed
    CLOSED = "closed"  # it was tried and didn't open, or was lost
    UNUSED = "unused"  # nothing says how to reach it


@dataclass(frozen=True, slots=True)
class WayState:
    """One way to a device. ``detail``: why it is closed or unused; where it leads otherwise.

    ``told``: what the router said last of where it is.
    """

    way: Way
    standing: Standing
    detail: str = ""
    told: str = ""

    def fields(self) -> dict[str, str]:
        """Return it as a row of the current-state table."""
        row = {"state": self.standing.value, "detail": self.detail}
        return row | {"told": self.told} if self.told else row


def states_of(rows: Mapping[str, Mapping[str, str]]) -> Sequence[WayState]:
    """Return what rows of the table say, the best way first. What a newer mtd wrote and we don't know is left out."""
    known = set(Standing)
    return [
        WayState(way, Standing(rows[way]["state"]), rows[way].get("detail", ""), rows[way].get("told", ""))
        for way in Way
        if way in rows and rows[way].get("state") in known
    ]
