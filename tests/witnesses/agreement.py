"""How values of a witness are compared with ours and with what the routers had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mtd.testing.truth_check import COUNTER_PROPERTIES
from tests.witnesses.kit import Watched
from tests.witnesses.polls import Moment


@dataclass(slots=True)
class Agreement:
    """Compares, counts what was compared, and tells of all differences at once."""

    compared: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def same(self, kind: str, what: str, witness: object, ours: object) -> None:
        """Both say exactly the same."""
        self._note(kind, witness == ours, f"{what}: {witness!r} is not our {ours!r}")

    def between(self, kind: str, what: str, before: float, witness: float, after: float) -> None:
        """The witness read a growing value between two polls of ours."""
        self._note(kind, before <= witness <= after, f"{what}: {witness} not in {before}..{after}")

    def one_of(self, kind: str, what: str, value: object, possible: Collection[object]) -> None:
        """A value is one that the router had at that time."""
        self._note(kind, value in possible, f"{what}: {value!r} not in {sorted(map(repr, possible))[:9]}")

    def _note(self, kind: str, agreed: bool, text: str) -> None:
        self.compared[kind] += 1
        if not agreed:
            self.wrong.append(f"{kind} {text}")

    def conclude(self, **expected: int) -> None:
        """Everything agreed, and so many values of each kind were compared: no more, no less."""
        assert not self.wrong, "\n".join(self.wrong)
        assert dict(self.compared) == expected


def compare_counters(
    agreement: Agreement,
    stage: Watched,
    router: str,
    moment: Moment,
    found: Mapping[str, Mapping[str, float | str]],
    properties: Sequence[str],
) -> None:
    """Compare counters, interface name -> property -> value: with our polls, and with one tick of the truth.

    Integers are compared exactly. A witness that has doubles only rounds
    counters over 2**53, so both sides are rounded then.
    """
    polls, truth = stage.around(router, moment), stage.truth(router)
    lasting = [item.name for item in truth.interfaces(0) if not item.dynamic]
    names = {prop: metric for metric, prop in COUNTER_PROPERTIES.items()}
    for name in lasting:
        for prop in properties:
            key = names[prop].replace("iface.", f"iface.{name}.", 1)
            witness, number = _number(found[name][prop])
            before, after = number(polls.before(key)), number(polls.after(key))
            agreement.between("counters", f"{router} {key}", before, witness, after)
    agreement.same(
        "instants",
        f"{router} counters of one tick",
        _has_tick(stage, router, moment, found, properties),
        True,
    )


def _number(value: float | str) -> tuple[float, Callable[[float], float]]:
    """Return a witness's number, and what makes ours comparable with it."""
    return (value, float) if isinstance(value, float) else (int(value), int)


def _has_tick(
    stage: Watched,
    router: str,
    moment: Moment,
    found: Mapping[str, Mapping[str, float | str]],
    properties: Sequence[str],
) -> bool:
    """Whether there is a tick at which all interfaces had exactly these counters."""
    truth = stage.truth(router)
    wanted = [
        (item.id, prop, *_number(found[item.name][prop]))
        for item in truth.interfaces(0)
        for prop in properties
    ]

    def at(tick: int) -> bool:
        counters = truth.counters(tick)
        return all(number(counters[identity][prop]) == value for identity, prop, value, number in wanted)

    return any(map(at, stage.ticks(moment)))


def compare_gauge(
    agreement: Agreement,
    stage: Watched,
    what: tuple[str, str],
    witness: tuple[float, Moment],
    possible: Callable[[Moment], Collection[float]],
) -> None:
    """Compare a value that goes up and down: theirs and ours, each with what the router had at that time.

    ``what`` is (router, key of ours).
    """
    router, key = what
    value, moment = witness
    agreement.one_of("gauges", f"{router} {key} of the witness", value, possible(moment))
    ours, when = stage.around(router, moment).at(key)
    agreement.one_of("gauges", f"{router} {key} of ours", ours, possible(when))
