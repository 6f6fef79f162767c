"""What traps mean: rules by their OIDs. ``traps.yaml`` beside this module has ours, and says how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mtd.codec.snmp.ber import Oid
from mtd.model.device import Severity

_EVENT = r"^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+$"
_VALUE = re.compile(r"%\{([a-z][a-z0-9_]*)\}")
_OID = re.compile(r"\d+(?:\.\d+)+")
_BELOW = ".*"
_MOST_RULES = 2000

INTERFACE = "interface"
GIVEN = frozenset({"device", "trap", "uptime", INTERFACE, "interface_id"})
"""Values that there are without being named by a rule, as far as they are told."""


class RuleError(ValueError):
    """A rule can't be used. Says which, why, and what to do."""


def _is_oid(text: str) -> str:
    if not _OID.fullmatch(text.removesuffix(_BELOW)):
        raise ValueError(f"{text!r} is no OID: numbers with dots between them")
    return text


def _oid(text: str) -> Oid:
    return tuple(int(part) for part in text.removesuffix(_BELOW).split("."))


class State(BaseModel):
    """A state in the words of the poll."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str
    old: str = ""
    new: str = ""


class Rule(BaseModel):
    """What one trap means, or all below an OID."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trap: Annotated[str, AfterValidator(_is_oid)]
    name: str
    event: Annotated[str, Field(pattern=_EVENT)]
    severity: Severity = Severity.INFO
    values: Mapping[str, Annotated[str, AfterValidator(_is_oid)]] = {}
    entity: str = ""
    state: State | None = None
    expected: Mapping[str, str] = {}
    message: str = ""

    @model_validator(mode="after")
    def _values_are_there(self) -> Rule:
        state = "" if self.state is None else self.state.old + self.state.new
        wanted = {*_VALUE.findall(self.message + state), *self.expected, *filter(None, [self.entity])}
        missing = wanted - GIVEN - self.values.keys()
        if missing:
            raise ValueError(f"no value is called {', '.join(sorted(missing))}: name it under `values`")
        return self

    @property
    def oid(self) -> Oid:
        """The trap's OID, or what all that are meant begin with."""
        return _oid(self.trap)

    @property
    def objects(self) -> Mapping[str, Oid]:
        """OIDs of objects by what their values are called."""
        return {name: _oid(oid) for name, oid in self.values.items()}

    @property
    def wants_interface(self) -> bool:
        """Whether it is about an interface."""
        return self.entity == INTERFACE


class Rules:
    """Rules by their OIDs. Of two for the same, the first is the one."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.all = tuple(rules)
        self._exact: dict[Oid, Rule] = {}
        self._below: dict[Oid, Rule] = {}
        for rule in rules:
            (self._below if rule.trap.endswith(_BELOW) else self._exact).setdefault(rule.oid, rule)

    def find(self, trap: Oid) -> Rule | None:
        """Return the rule for a trap; None if none knows it."""
        found = self._exact.get(trap)
        length = len(trap)
        while found is None and length:
            found = self._below.get(trap[:length])
            length -= 1
        return found


def compile_rules(content: object) -> Rules:
    """Return the rules of a file's content. Raises RuleError with all that can't be used."""
    if (
        not isinstance(content, Mapping)
        or set(content) != {"rules"}
        or not isinstance(content["rules"], list)
    ):
        raise RuleError("the file has a list `rules`, and nothing else: `- trap: ...` for each")
    if len(content["rules"]) > _MOST_RULES:
        raise RuleError(f"{len(content['rules'])} rules are more than {_MOST_RULES}")
    rules: list[Rule] = []
    for place, one in enumerate(content["rules"], 1):
        try:
            rules.append(Rule.model_validate(one))
        except ValidationError as error:
            raise RuleError(f"rule {place}: {'; '.join(_problems(error))}") from None
    return Rules(rules)


def _problems(error: ValidationError) -> Iterable[str]:
    for one in error.errors():
        where: list[Any] = list(one["loc"])
        yield f"{'.'.join(map(str, where))}: {one['msg']}" if where else str(one["msg"])


def filled(text: str, values: Mapping[str, str]) -> str:
    """Put values in; what isn't told becomes nothing."""
    return _VALUE.sub(lambda found: values.get(found[1], ""), text)
