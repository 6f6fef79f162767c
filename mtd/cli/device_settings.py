"""``KEY=VALUE`` on the command line, as settings of a device."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mtd.client.values import Device

_TEXTS = frozenset(
    {"name", "host", "username", "tls_mode", "tls_fingerprint", "interface_naming", "code_page", "notes"}
)
_NUMBERS = {"port": int, "connect_timeout_s": float, "command_timeout_s": float}
_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_TIERS = ("t0", "t1", "t2", "t3")
_KNOWN = sorted([*_TEXTS, *_NUMBERS, "enabled", "password", "label:KEY", "interval:TIER"])


def changes_from(texts: Sequence[str], current: Callable[[], Device]) -> dict[str, Any]:
    """Return the settings that ``KEY=VALUE`` texts change.

    ``current`` is asked for the device only where a label or an interval
    joins others. Raises ClickException for what isn't a setting or its value.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.ClickException(f"{text!r} is not KEY=VALUE")
        kind, _, name = key.partition(":")
        if kind == "label" and name:
            labels = changes.setdefault("labels", dict(current().labels) if "labels" not in changes else {})
            _put(labels, name, value)
        elif kind == "interval" and name in _TIERS:
            if "intervals_s" not in changes:
                changes["intervals_s"] = dict(current().intervals_s)
            _put(changes["intervals_s"], name, _number(key, value, float) if value else "")
        else:
            changes[key] = _value(key, value)
    return changes


def _put(target: dict[str, Any], key: str, value: Any) -> None:
    if value == "":
        target.pop(key, None)
    else:
        target[key] = value


def _value(key: str, value: str) -> Any:
    if key in _TEXTS:
        return value
    if key in _NUMBERS:
        return _number(key, value, _NUMBERS[key])
    if key == "enabled":
        if value.lower() not in _WORDS:
            raise click.ClickException(f"enabled: {value!r} is neither true nor false")
        return _WORDS[value.lower()]
    if key == "password":
        return _password(value)
    raise click.ClickException(f"{key!r} is not a setting; known: {', '.join(_KNOWN)}")


def _password(value: str) -> str:
    """Return a password that need not stand on the command line, where others see it."""
    if value == "-":
        answer: str = click.prompt("Password", hide_input=True, default="", show_default=False, err=True)
        return answer
    if value == "env":
        if "MTD_PASSWORD" not in os.environ:
            raise click.ClickException("password=env: the environment has no MTD_PASSWORD")
        return os.environ["MTD_PASSWORD"]
    return value


def _number(key: str, value: str, convert: Any) -> Any:
    try:
        return convert(value)
    except ValueError:
        raise click.ClickException(f"{key}: {value!r} is not a number") from None
