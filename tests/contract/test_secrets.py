"""No egg asks a router for a secret: what was never read can't be logged, stored or told."""

from __future__ import annotations

import re

import pytest

from mtd.model.command import Command
from mtd.plugin.manager import PluginManager

# What names of secrets have in them, and those of text that may hold some: scripts, and what they did.
SUSPICIOUS = re.compile(
    r"pass|secret|key|token|credential|^pin$|^source$|script$|^on-(?!link)|contents|^undo$|^redo$|^envs?$|shared|community"
)
HARMLESS = frozenset(
    [
        *("always-allow-password-login", "password-authentication", "passthrough", "passive", "public-key"),
        *("key-owner", "key-size", "key-type", "key-usage", "host-key-size", "host-key-type"),
    ]
)
# Whether there is a key, the name of a script, and the key of rows that a join makes.
HARMLESS_THERE = {
    "/certificate/print": {"private-key"},
    "/system/logging/action/print": {"script"},
    "/system/resource/print": {"key"},
}
SECRET_THERE = {"/snmp/community/print": {"name"}, "/container/envs/print": {"value"}}


@pytest.fixture(scope="module")
def asked() -> list[Command]:
    menus = [menu for collector in PluginManager.load().collectors for menu in collector.menus]
    commands = [menu.to_command() for menu in menus]
    return commands + [companion.to_command() for menu in menus for companion in menu.companions]


def test_no_egg_reads_secrets(asked: list[Command]) -> None:
    assert len(asked) > 300
    found = {
        (command.path, name)
        for command in asked
        for name in command.proplist
        if name in SECRET_THERE.get(command.path, ())
        or (
            SUSPICIOUS.search(name)
            and name not in HARMLESS
            and name not in HARMLESS_THERE.get(command.path, ())
        )
    }
    assert not found


def test_every_read_names_its_properties(asked: list[Command]) -> None:
    assert not [command for command in asked if not command.proplist]
