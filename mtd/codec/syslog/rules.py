"""What log lines mean: rules that make an event out of a message.

A rule has a word that the message contains, a pattern, and samples that show what it makes of them. Rules come as
what a YAML file holds (``rules.yaml`` beside this module has ours, and says how they are written); nothing is read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mtd.codec.syslog.line import read_line
from mtd.codec.syslog.prefilter import Look, Prefilter, look_of
from mtd.codec.syslog.topics import Severity

_EVENT = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_FRAGMENT = re.compile(r"%\{([A-Z][A-Z0-9_]*)(?::([a-z][a-z0-9_]*))?\}")
_VALUE = re.compile(r"%\{([a-z][a-z0-9_]*)\}")
_KEYS = frozenset(
    {
        "event",
        "topics",
        "contains",
        "pattern",
        "severity",
        "entity",
        "known_as",
        "state",
        "timeline",
        "samples",
    }
)
_STATE_KEYS = frozenset({"field", "old", "new"})
_SAMPLE_KEYS = frozenset({"line", "values"})
_MOST_KINDS = 1024
_MOST_RULES = 2000
_LONGEST_PATTERN = 4096
_SHOWN = 1024
"""Characters of a message that rules see: patterns may take the square of them."""


class RuleError(ValueError):
    """A rule can't be used. Says which, why, and what to do."""


class Finding(NamedTuple):
    """What a message means.

    ``entity``: name of what it is about; empty if that is the device itself. ``state_field``, ``old`` and ``new`` are in
    the words of the poll that sees the same thing, so that both are known for one fact. ``values``: all that the
    pattern named and found.
    """

    event_type: str
    severity: Severity | None
    entity_type: str
    entity: str
    state_field: str
    old: str
    new: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """A line as it comes from the wire, and what its values must be."""

    line: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Without ``topics`` it looks at all lines. ``timeline`` is None where it doesn't say, ``known_as`` empty."""

    event_type: str
    topics: frozenset[str]
    contains: str
    pattern: re.Pattern[str]
    severity: Severity | None
    entity_type: str
    state_field: str
    old: str
    new: str
    known_as: str
    timeline: bool | None
    samples: tuple[Sample, ...]

    @property
    def tells_state(self) -> bool:
        """Whether its lines tell a state that changed."""
        return bool(self.state_field or self.old or self.new)

    def reader(self) -> Callable[[re.Match[str]], Finding]:
        """Return what makes a finding of a match; what the pattern didn't find isn't among the values."""
        event_type, severity, entity_name = self.event_type, self.severity, self.entity_type
        entity_type, state_field, old, new = entity_name or "device", self.state_field, self.old, self.new
        is_fixed = "%" not in old + new
        groups_of = _groups_of(self.pattern)

        def finding(found: re.Match[str]) -> Finding:
            values = groups_of(found)
            entity = values.get(entity_name, "")
            if is_fixed:
                return Finding(event_type, severity, entity_type, entity, state_field, old, new, values)
            was, becomes = _filled(old, values), _filled(new, values)
            return Finding(event_type, severity, entity_type, entity, state_field, was, becomes, values)

        return finding


def _groups_of(pattern: re.Pattern[str]) -> Callable[[re.Match[str]], dict[str, str]]:
    """Return what tells the groups with a name that a match found."""
    names = tuple(pattern.groupindex)  # in the order of their numbers
    if len(names) < pattern.groups:
        return lambda found: {name: text for name, text in found.groupdict().items() if text is not None}

    def groups(found: re.Match[str]) -> dict[str, str]:
        texts = found.groups()
        if None in texts:
            return {name: text for name, text in zip(names, texts, strict=True) if text is not None}
        return dict(zip(names, texts, strict=True))

    return groups


@dataclass(frozen=True, slots=True)
class Telling:
    """What the rules say of a type of events: whether its lines are on the timeline, and whether they tell a state.

    ``known_as``: what others call a thing of which lines tell parts, with values to be filled in; empty if it is the entity.
    """

    on_timeline: bool
    of_state: bool
    known_as: str = ""

    def name(self, entity: str, values: Mapping[str, str]) -> str | None:
        """Return what the thing of a line is called by others; None if the line doesn't tell all of that."""
        if not self.known_as:
            return entity
        wanted = _VALUE.findall(self.known_as)
        return _filled(self.known_as, values) if all(map(values.get, wanted)) else None


_Tried = tuple[Look, Callable[[re.Match[str]], Finding]]
"""What finds the pattern of a rule, and what it then means."""


class Rules:
    """Rules in order: the first that knows a message is the one."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.all = tuple(rules)
        self._tried: Sequence[_Tried] = [(look_of(rule.pattern), rule.reader()) for rule in self.all]
        self._by_topics: dict[tuple[str, ...], Prefilter[_Tried]] = {}

    def tellings(self) -> dict[str, Telling]:
        """Return what is said of each type: by the first of its rules that says so, else by whether one tells a state."""
        states: dict[str, bool] = {}
        said: dict[str, bool] = {}
        names: dict[str, str] = {}
        for rule in self.all:
            states[rule.event_type] = states.get(rule.event_type, False) or rule.tells_state
            if rule.timeline is not None:
                said.setdefault(rule.event_type, rule.timeline)
            if rule.known_as:
                names.setdefault(rule.event_type, rule.known_as)
        return {
            name: Telling(said.get(name, state), state, names.get(name, "")) for name, state in states.items()
        }

    def find(self, topics: tuple[str, ...], text: str, identity: str = "") -> Finding | None:
        """Return what a message means; None if no rule knows it.

        A message without topics is shown to all rules; of a long one they see the beginning. ``identity``: the router's name, which it puts before the message
        if it is told to.
        """
        text = text[:_SHOWN]
        if identity and text.startswith(identity) and text.startswith(": ", len(identity)):
            text = text[len(identity) + 2 :]
        rules = self._by_topics.get(topics)
        for look, reader in (rules or self._of_topics(topics)).near(text):
            if (found := look(text)) is not None:
                return reader(found)
        return None

    def _of_topics(self, topics: tuple[str, ...]) -> Prefilter[_Tried]:
        # Topics come from the wire: who invents some doesn't fill us up.
        if len(self._by_topics) >= _MOST_KINDS:
            self._by_topics.clear()
        near = [
            (rule.contains, tried)
            for rule, tried in zip(self.all, self._tried, strict=True)
            if not topics or not rule.topics or not rule.topics.isdisjoint(topics)
        ]
        rules = self._by_topics[topics] = Prefilter(near, grouped=not topics)
        return rules


def compile_rules(content: object) -> Rules:
    """Return the rules of a file's content. Raises RuleError for the first that can't be used."""
    if not isinstance(content, Mapping) or not isinstance(content.get("rules"), Sequence):
        raise RuleError(
            "the file has no list `rules`: write `rules:` and below it one `- event: ...` per rule"
        )
    unknown = sorted(map(str, content.keys() - {"rules", "fragments"}))
    if unknown:
        raise RuleError(f"the file has {', '.join(unknown)}: only `fragments` and `rules` are known")
    if len(content["rules"]) > _MOST_RULES:
        raise RuleError(f"{len(content['rules'])} rules are more than {_MOST_RULES}")
    fragments = _fragments(content.get("fragments") or {})
    return Rules([_rule(place, one, fragments) for place, one in enumerate(content["rules"], 1)])


def failures(rules: Rules) -> Iterable[str]:
    """Yield a sentence for each sample that doesn't come out as it says: the file's own test."""
    for rule in rules.all:
        if not rule.samples:
            yield f"{rule.event_type}: has no sample; give one line of a router"
        for sample in rule.samples:
            line = read_line(sample.line.encode())
            found = rules.find(line.topics, line.text)
            if found is None:
                yield f"{rule.event_type}: no rule knows its sample {sample.line!r}"
            elif found.event_type != rule.event_type:
                yield f"{rule.event_type}: {found.event_type} takes its sample {sample.line!r}; put it before that rule"
            elif found.values != dict(sample.values):
                yield f"{rule.event_type}: of {sample.line!r} it makes {found.values}, not {dict(sample.values)}"


def _fragments(content: object) -> dict[str, str]:
    if not isinstance(content, Mapping):
        raise RuleError("`fragments` isn't a list of NAME: pattern")
    fragments: dict[str, str] = {}
    for name, pattern in content.items():
        where = f"fragment {name}"
        if not isinstance(name, str) or not _FRAGMENT.fullmatch(f"%{{{name}}}"):
            raise RuleError(f"{where}: its name must be of capital letters, digits and _")
        fragments[name] = _expanded(where, _text(where, "pattern", pattern), fragments)
        _compiled(where, fragments[name])
    return fragments


def _rule(place: int, content: object, fragments: Mapping[str, str]) -> Rule:
    where = f"rule {place}"
    if not isinstance(content, Mapping):
        raise RuleError(f"{where}: isn't a list of keys and values")
    where = f"{where} ({content.get('event', 'without event')})"
    _known(where, content, _KEYS)
    event = _text(where, "event", content.get("event"))
    if not _EVENT.fullmatch(event):
        raise RuleError(f"{where}: an event is called like `interface.oper.changed`")
    pattern = _compiled(where, _expanded(where, _text(where, "pattern", content.get("pattern")), fragments))
    entity = content.get("entity", "device")
    if entity != "device" and entity not in pattern.groupindex:
        raise RuleError(f"{where}: the pattern finds no `{entity}`: name a group so, or leave `entity` away")
    state = content.get("state") or {}
    if not isinstance(state, Mapping):
        raise RuleError(f"{where}: `state` has the keys field, old and new")
    _known(f"{where}, state", state, _STATE_KEYS)
    old, new = (_text(where, key, state.get(key, ""), empty=True) for key in ("old", "new"))
    known_as = _text(where, "known_as", content.get("known_as", ""), empty=True)
    for key, text in (("state", old + new), ("known_as", known_as)):
        for name in _VALUE.findall(text):
            if name not in pattern.groupindex:
                raise RuleError(f"{where}: `{key}` wants `{name}`, which the pattern doesn't find")
    timeline = content.get("timeline")
    if not isinstance(timeline, bool | None):
        raise RuleError(f"{where}: `timeline` is true or false, not {timeline!r}")
    return Rule(
        event,
        frozenset(_words(where, "topics", content.get("topics") or [])),
        _text(where, "contains", content.get("contains")),
        pattern,
        _severity(where, content.get("severity")),
        "" if entity == "device" else entity,
        _text(where, "field", state.get("field", ""), empty=True),
        old,
        new,
        known_as,
        timeline,
        tuple(_sample(where, one) for one in content.get("samples") or []),
    )


def _sample(where: str, content: object) -> Sample:
    if not isinstance(content, Mapping):
        raise RuleError(f"{where}: a sample has the keys line and values")
    _known(f"{where}, sample", content, _SAMPLE_KEYS)
    values = content.get("values") or {}
    if not isinstance(values, Mapping) or not all(
        isinstance(one, str) for pair in values.items() for one in pair
    ):
        raise RuleError(f"{where}: values of a sample are texts; put numbers in quotation marks")
    return Sample(_text(where, "line", content.get("line")), dict(values))


def _known(where: str, content: Mapping[Any, Any], keys: frozenset[str]) -> None:
    unknown = sorted(map(str, content.keys() - keys))
    if unknown:
        raise RuleError(f"{where}: {', '.join(unknown)} isn't known; there are {', '.join(sorted(keys))}")


def _text(where: str, key: str, value: object, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty):
        raise RuleError(f"{where}: `{key}` must be a text, not {value!r}; put it in quotation marks")
    return value


def _words(where: str, key: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise RuleError(f"{where}: `{key}` must be a list of words")
    return value


def _severity(where: str, value: object) -> Severity | None:
    if value is None:
        return None
    name = value.upper() if isinstance(value, str) else ""
    if name not in Severity.__members__:
        raise RuleError(
            f"{where}: no severity {value!r}; there are {', '.join(one.lower() for one in Severity.__members__)}"
        )
    return Severity[name]


def _expanded(where: str, pattern: str, fragments: Mapping[str, str]) -> str:
    """Put fragments in, which are written as in grok: ``%{MAC:source}`` is one with a name."""

    def fragment(found: re.Match[str]) -> str:
        if found[1] not in fragments:
            raise RuleError(f"{where}: there is no fragment {found[1]} above it")
        return f"(?P<{found[2]}>{fragments[found[1]]})" if found[2] else f"(?:{fragments[found[1]]})"

    return _FRAGMENT.sub(fragment, pattern)


def _compiled(where: str, pattern: str) -> re.Pattern[str]:
    if len(pattern) > _LONGEST_PATTERN:
        raise RuleError(f"{where}: a pattern of {len(pattern)} characters is too long")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise RuleError(f"{where}: {error} in {pattern!r}") from error


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _VALUE.sub(lambda found: values.get(found[1], ""), text) if "%" in text else text
