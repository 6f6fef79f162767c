"""Whether two releases of mtd may work together: what is sent between them only ever grows within a major version."""

from __future__ import annotations

import re

_MAJOR = re.compile(r"(\d{1,6})(?:\.|$)")


def major_of(version: str) -> int | None:
    """Return the major version; None if the text isn't a version."""
    found = _MAJOR.match(version)
    return int(found.group(1)) if found else None


def skew_problem(own: str, other: str) -> str:
    """Return why two versions can't work together; empty if they can, or if one isn't told."""
    mine, theirs = major_of(own), major_of(other)
    if mine is None or theirs is None or abs(mine - theirs) <= 1:
        return ""
    older = "this side" if mine < theirs else "the other side"
    return (
        f"mtd {own} and mtd {other} are more than one major version apart: upgrade {older},"
        " one major version at a time"
    )
