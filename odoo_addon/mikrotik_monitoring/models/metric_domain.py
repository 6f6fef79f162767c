"""What a domain asks of a source: of which devices, of what time, which series, how fine.

Each is taken out as a bound that all rows of the domain keep to. The rows that come back are filtered by
the whole domain, so that a bound may be too wide, and never too narrow.
"""

import fnmatch
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from odoo import fields
from odoo.osv import expression

from ..gateway.source import AUTO, RAW, width_of

_EXACT = ("=", "in")
_TEXTS = ("like", "ilike", "=like", "=ilike")


@dataclass(frozen=True)
class Pattern:
    """A pattern of mtd's: catalogue keys or full keys, `*` and `?` are wildcards."""

    text: str
    any_case: bool = False

    def spelled(self, known):
        """Return the spellings to ask for: mtd tells capitals apart, `ilike` doesn't."""
        if not self.any_case:
            return {self.text}
        likely = {self.text, self.text.lower(), self.text.upper(), self.text.title()}
        return likely | {one.key for one in known if self.matches(one)}

    def matches(self, series):
        """Return whether a series has such a metric or key."""
        plain = re.sub(r"\[", "[[]", self.text)
        flags = re.IGNORECASE if self.any_case else 0
        matches = re.compile(fnmatch.translate(plain), flags).match
        return bool(matches(series.metric) or matches(series.key))


@dataclass(frozen=True)
class Asked:
    """What a domain asks for. None, or no patterns: it doesn't say."""

    devices: list | None
    start: datetime | None
    end: datetime | None
    patterns: tuple
    resolution: str


def asked_of(domain):
    """Return what a domain asks for."""
    domain = expression.distribute_not(expression.normalize_domain(domain))
    starts, ends = _folded(domain, _times, _both_times, _either_time) or ((), ())
    names = _folded(domain, _resolutions, frozenset.intersection, frozenset.union) or frozenset()
    patterns = _folded(domain, _patterns, _finer, lambda one, other: one + other)
    return Asked(
        devices=_folded(
            domain, _devices, lambda *both: expression.AND(both), lambda *one: expression.OR(one)
        ),
        start=min(starts, default=None),
        # A group of a list has bounds of its own beside those of the list, whose values have to be the same.
        end=max(ends) if ends and len(ends) >= len(starts) else None,
        patterns=patterns or (),
        resolution=next(iter(names)) if len(names) == 1 else AUTO,
    )


def _folded(domain, leaf, both, either):
    """Return a bound of a domain in prefix form; None if it has none."""
    stack = []
    for item in reversed(domain):
        if item in ("&", "|"):
            one, other = stack.pop(), stack.pop()
            if one is None or other is None:
                stack.append((one or other) if item == "&" else None)
            else:
                stack.append(both(one, other) if item == "&" else either(one, other))
        elif item == "!":
            stack[-1] = None  # what an operator without an opposite leaves out: that is no bound
        else:
            stack.append(leaf(*item))
    return stack.pop() if stack else None


def _devices(name, operator, value):
    """Return a domain of devices."""
    if not isinstance(name, str) or name.split(".")[0] != "device_id":
        return None
    if "." in name:
        return [(name.split(".", 1)[1], operator, value)]
    texts = value if isinstance(value, (list, tuple)) else [value]
    if any(isinstance(text, str) for text in texts):
        return [("name", operator, value)]
    return [("id", operator, value)] if operator in ("=", "!=", "in", "not in") else None


def _times(name, operator, value):
    """Return lower and upper bounds."""
    if name != "time" or not value or not isinstance(value, (str, date)):
        return None
    if operator in (">", ">="):
        return (_moment(value, time.min),), ()
    if operator in ("<", "<="):
        return (), (_moment(value, time.max),)
    return ((_moment(value, time.min),), (_moment(value, time.max),)) if operator == "=" else None


def _moment(value, of_day):
    if isinstance(value, str):
        value = fields.Datetime.to_datetime(value) if len(value) > 10 else fields.Date.to_date(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, of_day)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _both_times(one, other):
    return one[0] + other[0], one[1] + other[1]


def _either_time(one, other):
    """Return the bounds of the time that holds two: open where one of them is."""
    starts = (min(one[0]), min(other[0])) if one[0] and other[0] else ()
    ends = (max(one[1]), max(other[1])) if one[1] and other[1] else ()
    return (min(starts),) if starts else (), (max(ends),) if ends else ()


def _resolutions(name, operator, value):
    if name != "resolution" or operator not in _EXACT:
        return None
    return frozenset(word for word in _words(value) or () if word == RAW or width_of(word))


def _words(value):
    """Return the texts that a leaf names; None if something else is among them, or nothing at all."""
    words = list(value) if isinstance(value, (list, tuple)) else [value]
    return words if words and all(word and isinstance(word, str) for word in words) else None


def _patterns(name, operator, value):
    """Return patterns that each row of a leaf matches one of."""
    if name not in ("metric", "key", "label"):
        return None
    if operator in _EXACT:
        texts = _words(value)
        if texts is None:
            return None  # what has no label, has keys of all kinds
        return tuple(Pattern(f"*.{text}.*" if name == "label" else text) for text in texts)
    if operator not in _TEXTS or not value or not isinstance(value, str):
        return None
    text = value.replace("%", "*").replace("_", "?")
    if not operator.startswith("=") or name == "label":
        text = f"*{text}*"
    if name == "metric" and "i" in operator.removeprefix("="):
        return (Pattern(text.lower()),)
    return (Pattern(text, any_case=operator in ("ilike", "=ilike")),)


def _finer(one, other):
    """Return the patterns with fewer wildcards: each of both bounds all rows."""
    return min(one, other, key=lambda patterns: max(p.text.count("*") + p.text.count("?") for p in patterns))
