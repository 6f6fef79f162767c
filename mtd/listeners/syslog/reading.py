"""From the bytes of a line to an entry: what it says, and what that means."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from mtd.codec.syslog import Line
from mtd.codec.syslog.rules import RuleError, Rules, compile_rules
from mtd.core.errors import Misconfigured
from mtd.model.logs import LogEntry


def load_rules(own: Path | None = None) -> Rules:
    """Return the rules that come with mtd, behind those of a file. Raises Misconfigured if that can't be used."""
    return rules_of(read_rules(own), own)


def read_rules(own: Path | None) -> str | None:
    """Return what a file of rules holds. Raises Misconfigured if it can't be read."""
    if own is None:
        return None
    try:
        return own.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"syslog.rules_file {own}: {error}") from error


def rules_of(text: str | None, own: Path | None) -> Rules:
    """Return the rules that come with mtd, behind those of a text, which a file held. Raises Misconfigured."""
    ours = _content("mtd's own rules", files("mtd.codec.syslog").joinpath("rules.yaml").read_text("utf-8"))
    rules = compile_rules(ours)
    if text is None:
        return rules
    try:
        content = _content(str(own), text)
        if isinstance(content, dict):  # it may use our fragments
            content["fragments"] = {**ours["fragments"], **(content.get("fragments") or {})}
        return Rules([*compile_rules(content).all, *rules.all])
    except RuleError as error:
        raise Misconfigured(f"syslog.rules_file {own}: {error}") from error


def _content(name: str, text: str) -> Any:
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except yaml.YAMLError as error:
        raise Misconfigured(f"{name} is no YAML: {error}") from error


def entry_of(line: Line, at_us: int, rules: Rules, identity: str) -> LogEntry:
    """Return a line with what the rules make of it. ``identity``: the router's name, which may stand before messages."""
    severity = None if line.severity is None else int(line.severity)
    found = rules.find(line.topics, line.text, identity)
    if found is None:
        return LogEntry(
            at_us,
            line.text,
            line.original,
            line.form,
            severity,
            line.facility,
            line.topics,
            values=line.fields,
            host=line.host,
            program=line.program,
            process=line.process,
            told_time=line.told_time,
            cut=line.cut,
        )
    event_type, worse, entity_type, entity, state_field, old, new, values = found
    return LogEntry(
        at_us,
        line.text,
        line.original,
        line.form,
        severity if worse is None else int(worse),
        line.facility,
        line.topics,
        event_type,
        entity_type,
        entity,
        state_field,
        old,
        new,
        {**line.fields, **values} if line.fields else values,
        line.host,
        line.program,
        line.process,
        line.told_time,
        cut=line.cut,
    )
