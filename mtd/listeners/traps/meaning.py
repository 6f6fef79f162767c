"""From a notification to a change of a device's state."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from mtd.codec.snmp import Binding, Notification, dotted, text_of
from mtd.codec.snmp.ber import Oid
from mtd.codec.snmp.rules import INTERFACE, Rule, RuleError, Rules, compile_rules, filled
from mtd.core.errors import Misconfigured
from mtd.model.device import Severity
from mtd.model.evidence import WORDS, Source
from mtd.model.observation import StateChange

if TYPE_CHECKING:
    from mtd.model.device import Device

OTHER_TRAP = "snmp.trap.received"

_IF_ENTRY: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1)
_IFX_ENTRY: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
_IF_INDEX, _IF_DESCR, _IF_NAME = (*_IF_ENTRY, 1), (*_IF_ENTRY, 2), (*_IFX_ENTRY, 1)
_MOST_INDEX = (1 << 32) - 1
_MOST_SHOWN, _LONGEST_VALUE, _LONGEST_MESSAGE = 24, 256, 4000


class Interface(NamedTuple):
    """An interface: its id as polls have it, its name, and what people call it. What isn't known is empty."""

    id: str
    name: str
    label: str


def load_rules(own: Path | None = None) -> Rules:
    """Return the rules that come with mtd, behind those of a file. Raises Misconfigured if that can't be used. Blocks."""
    ours = compile_rules(
        _content("mtd's own rules", files("mtd.codec.snmp").joinpath("traps.yaml").read_text("utf-8"))
    )
    if own is None:
        return ours
    try:
        return Rules([*compile_rules(_content(str(own), own.read_text("utf-8"))).all, *ours.all])
    except (OSError, UnicodeDecodeError, RuleError) as error:
        raise Misconfigured(f"traps.rules_file {own}: {error}") from error


def _content(name: str, text: str) -> Any:
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except yaml.YAMLError as error:
        raise Misconfigured(f"{name} is no YAML: {error}") from error


def interface_of(notification: Notification, code_page: str) -> Interface:
    """Return the interface that a trap tells of; what isn't told is empty.

    RouterOS' ifIndex is the internal id of its API in other digits, by which polls know an interface.
    """
    index: int | None = None
    names: dict[Oid, str] = {}
    for one in notification.bindings:
        column = one.oid[:-1]
        if column[:-1] not in (_IF_ENTRY, _IFX_ENTRY):
            continue
        if column in (_IF_DESCR, _IF_NAME):
            names[column] = text_of(one, code_page)
        told = one.value if column == _IF_INDEX and isinstance(one.value, int) else one.oid[-1]
        index = told if index is None else index
    name = names.get(_IF_NAME) or names.get(_IF_DESCR, "")
    known = index is not None and 0 < index <= _MOST_INDEX
    return Interface(f"*{index:X}" if known else "", name, name)


def change_of(
    notification: Notification, device: Device, rule: Rule | None, interface: Interface
) -> StateChange:
    """Return what a trap means as an event of a device. ``interface``: that it tells of."""
    values = _values(notification, device, rule, interface)
    entity_type, entity_id, label, logged_as = "device", device.device_id, device.name, ""
    if rule is not None and rule.wants_interface:
        entity_type, entity_id, label = INTERFACE, interface.id, interface.label
        logged_as = interface.name if interface.name != label else ""
    elif rule is not None and rule.entity:
        entity_type, entity_id = rule.entity, values.get(rule.entity, "")
        label = entity_id
    state = None if rule is None else rule.state
    return StateChange(
        event_type=OTHER_TRAP if rule is None else rule.event,
        severity=_severity(rule, values),
        entity_type=entity_type,
        entity_id=entity_id,
        entity_label=label,
        field="trap" if state is None else state.field,
        old="" if state is None else filled(state.old, values),
        new=values["trap"] if state is None else filled(state.new, values),
        message=_message(notification, device, rule, values),
        logged_as=logged_as,
        told_by=WORDS[Source.TRAP],
    )


def _severity(rule: Rule | None, values: dict[str, str]) -> Severity:
    if rule is None:
        return Severity.INFO
    expected = bool(rule.expected) and all(values.get(name) == value for name, value in rule.expected.items())
    return Severity.INFO if expected else rule.severity


def _values(
    notification: Notification, device: Device, rule: Rule | None, interface: Interface
) -> dict[str, str]:
    values = {"device": device.name, "trap": dotted(notification.trap)}
    if notification.uptime is not None:
        values["uptime"] = f"{notification.uptime // 100}s"
    if interface.id or interface.label:
        values["interface_id"] = interface.id
        values[INTERFACE] = interface.label or f"interface {interface.id}"
    elif rule is not None and rule.wants_interface:
        values[INTERFACE] = "an interface that isn't told"
    for name, column in () if rule is None else rule.objects.items():
        for one in notification.bindings:
            if one.oid[: len(column)] == column:
                values[name] = _shown(one, device)
                break
    return values


def _message(notification: Notification, device: Device, rule: Rule | None, values: dict[str, str]) -> str:
    if rule is not None and rule.message:
        return filled(rule.message, values)[:_LONGEST_MESSAGE]
    name = "" if rule is None else f"{rule.name} "
    shown = [f"{dotted(one.oid)} = {_shown(one, device)}" for one in notification.bindings[:_MOST_SHOWN]]
    if len(notification.bindings) > _MOST_SHOWN:
        shown.append(f"and {len(notification.bindings) - _MOST_SHOWN} more")
    told = ", ".join(shown) or "nothing else told"
    return f"{device.name} sent the trap {name}{values['trap']}: {told}"[:_LONGEST_MESSAGE]


def _shown(one: Binding, device: Device) -> str:
    text = text_of(one, device.code_page)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
