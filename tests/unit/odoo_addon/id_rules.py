"""External ids: each is defined before it is used, in the order in which the manifest names the files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from xml.etree import ElementTree

ADDON = "mikrotik_monitoring"
_DEFINES = frozenset({"record", "menuitem", "template"})
_NAMED = {"parent": ("menuitem", "template"), "action": ("menuitem",), "inherit_id": ("template",)}
_IN_PYTHON = re.compile(rf"""["']({ADDON}\.(?:action|group|menu|view|cron)_\w+)["']""")
Element = ElementTree.Element


def faults_of_ids(data: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Return ids that are used before they are there, of files in their order."""
    there = set(known)
    found = []
    for name, text in data.items():
        for uses, defined in _csv(text) if name.endswith(".csv") else _xml(text):
            found += [f"{name}: no {one} yet" for one in sorted(map(whole, uses)) if one not in there]
            there.add(whole(defined))
    return found


def defined_in(data: Mapping[str, str]) -> set[str]:
    """Return all ids that files define."""
    parts = [_csv(text) if name.endswith(".csv") else _xml(text) for name, text in data.items()]
    return {whole(defined) for part in parts for _, defined in part}


def used_in_python(text: str) -> set[str]:
    """Return ids of the addon that code names."""
    return set(_IN_PYTHON.findall(text))


def whole(name: str) -> str:
    """Return an id with its module."""
    return name if "." in name else f"{ADDON}.{name}"


def _csv(text: str) -> Iterator[tuple[set[str], str]]:
    for row in csv.DictReader(io.StringIO(text)):
        yield {value for key, value in row.items() if key.endswith(":id") and value}, row["id"]


def _xml(text: str) -> Iterator[tuple[set[str], str]]:
    for element in ElementTree.fromstring(text).iter():
        if element.tag in _DEFINES and "id" in element.attrib:
            yield {one for part in element.iter() for one in _uses(part)}, element.attrib["id"]


def _uses(part: Element) -> Iterator[str]:
    for key, text in part.attrib.items():
        if key == "ref" or part.tag in _NAMED.get(key, ()):
            yield text
        elif key == "groups":
            yield from (one.strip().lstrip("!-") for one in text.split(","))
        yield from re.findall(r"%\(([\w.]+)\)d", text)
        if key == "eval":
            yield from re.findall(r"""\bref\(\s*["']([\w.]+)["']""", text)
