"""``KEY=VALUE`` on the command line, as settings of a device."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mtd.client.values import Device

TEXTS = frozenset(
    {
        *(
            "name",
            "host",
            "username",
            "tls_mode",
            "tls_fingerprint",
            "interface_naming",
            "code_page",
            "notes",
        ),
        *("rest_tls_mode", "rest_tls_fingerprint"),
        "site",
        *("snmp_version", "snmp_username", "snmp_auth", "snmp_priv"),
    }
)
NUMBERS = {
    "port": int,
    "connect_timeout_s": float,
    "command_timeout_s": float,
    "rest_port": int,
    "snmp_port": int,
}
# Each may stand in the environment, under this name.
SECRETS = {
    "password": "MTD_PASSWORD",
    "snmp_community": "MTD_SNMP_COMMUNITY",
    "snmp_auth_password": "MTD_SNMP_AUTH_PASSWORD",
    "snmp_priv_password": "MTD_SNMP_PRIV_PASSWORD",
}
WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
# As people name them; the settings are called after what they are for, too.
CREDENTIALS = {
    "credentials.readonly": "readonly_credentials",
    "credentials.diagnostics": "diagnostics_credentials",
    "credentials.config-audit": "config_audit_credentials",
}
TIERS = ("t0", "t1", "t2", "t3")
LIMITS = ("interfaces", "metrics")
_KNOWN = sorted(
    [
        *TEXTS,
        *NUMBERS,
        *SECRETS,
        *CREDENTIALS,
        "enabled",
        "ways",
        "groups",
        "label:KEY",
        "interval:TIER",
        "t0:interfaces",
        "t0:metrics",
    ]
)


def placement_from(texts: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return what ``KEY=VALUE`` texts say of who polls a device, and the texts about everything else.

    Raises ClickException for a redundancy that isn't a number.
    """
    placement: dict[str, Any] = {}
    others = []
    for text in texts:
        key, equals, value = text.partition("=")
        if equals and key == "collector":
            placement["poller"] = value
        elif equals and key == "redundancy":
            placement["redundancy"] = _number(key, value, int) if value else 0
        else:
            others.append(text)
    return placement, others


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
        elif kind == "interval" and name in TIERS:
            if "intervals_s" not in changes:
                changes["intervals_s"] = dict(current().intervals_s)
            _put(changes["intervals_s"], name, _number(key, value, float) if value else "")
        elif kind == "t0" and name in LIMITS:
            if "t0" not in changes:
                changes["t0"] = dict(current().t0)
            changes["t0"][name] = _limit(key, value)
        elif key in CREDENTIALS:
            changes[CREDENTIALS[key]] = value
        else:
            changes[key] = _value(key, value)
    return changes


def _limit(key: str, value: str) -> str:
    text = value.strip().lower()
    if text and text != "all" and not text.isdecimal():
        raise click.ClickException(f"{key}: {value!r} is neither a number nor 'all'")
    return text


def _put(target: dict[str, Any], key: str, value: Any) -> None:
    if value == "":
        target.pop(key, None)
    else:
        target[key] = value


def _value(key: str, value: str) -> Any:
    if key in TEXTS:
        return value
    if key in NUMBERS:
        return _number(key, value, NUMBERS[key])
    if key == "enabled":
        if value.lower() not in WORDS:
            raise click.ClickException(f"enabled: {value!r} is neither true nor false")
        return WORDS[value.lower()]
    if key in SECRETS:
        return secret_from(value, key, SECRETS[key])
    if key == "ways":
        return ways_from(value)
    if key == "groups":
        return [group.strip() for group in value.split(",") if group.strip()]
    raise click.ClickException(f"{key!r} is not a setting; known: {', '.join(_KNOWN)}")


def secret_from(value: str, key: str, variable: str) -> str:
    """Return a secret that need not stand on the command line, where others see it: ``-`` asks for it."""
    if value == "-":
        text = key.removeprefix("snmp_").replace("_", " ").capitalize()
        answer: str = click.prompt(text, hide_input=True, default="", show_default=False, err=True)
        return answer
    if value == "env":
        if variable not in os.environ:
            raise click.ClickException(f"{key}=env: the environment has no {variable}")
        return os.environ[variable]
    return value


def ways_from(text: str) -> list[str]:
    """Return ways, however they are separated: ``api,rest`` or ``api rest``."""
    return text.replace(",", " ").split()


def _number(key: str, value: str, convert: Any) -> Any:
    try:
        return convert(value)
    except ValueError:
        raise click.ClickException(f"{key}: {value!r} is not a number") from None
