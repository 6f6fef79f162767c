"""Series that two poll groups of a device hold for a moment: one that moved to another tier. The newer frame counts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from mtd.api.grpc.latest_stream import Group
from mtd.api.grpc.layouts import KnownLayout
from mtd.model.layout import Series

NONE: frozenset[Series] = frozenset()
_NOTHING: Mapping[str, frozenset[Series]] = {}


class Overlaps:
    """Remembers which series the groups of one device share; as a rule that is none."""

    __slots__ = ("_known", "_shared")

    def __init__(self) -> None:
        self._known: tuple[KnownLayout, ...] = ()
        self._shared: dict[tuple[str, str], frozenset[Series]] = {}

    def older(self, groups: Mapping[str, Group]) -> Mapping[str, frozenset[Series]]:
        """Return, by poll group, the series that a newer frame of the device has as well."""
        known = tuple(group.known for group in groups.values())
        if len(known) != len(self._known) or any(
            one is not other for one, other in zip(known, self._known, strict=True)
        ):
            self._known, self._shared = known, _shared(groups)
        if not self._shared:
            return _NOTHING
        found: dict[str, frozenset[Series]] = {}
        for pair, series in self._shared.items():
            # Of the same moment: both can't be told from each other, and one has to be shown.
            older = min(pair, key=lambda name: (groups[name].newest.collected_at_us, name))
            found[older] = found.get(older, NONE) | series
        return found


def _shared(groups: Mapping[str, Group]) -> dict[tuple[str, str], frozenset[Series]]:
    named = {name: frozenset(group.known.layout.series) for name, group in groups.items()}
    pairs = {(one, other): named[one] & named[other] for one, other in combinations(named, 2)}
    return {pair: series for pair, series in pairs.items() if series}
