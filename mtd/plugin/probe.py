"""What a device can do: asked menu by menu, never deduced from its version (S000-6.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from mtd.model.command import Command, Reply
from mtd.model.observation import CapabilityFact, ProbeFacts
from mtd.model.values import boolean, integer, text
from mtd.plugin import metrics
from mtd.plugin.declaration import Probe

RESOURCE = Command(
    "/system/resource/print", ("version", "board-name", "architecture-name", "platform"), max_rows=1
)
IDENTITY = Command("/system/identity/print", ("name",), max_rows=10)
ROUTERBOARD = Command("/system/routerboard/print", ("routerboard", "model", "serial-number"), max_rows=10)
LICENSE = Command("/system/license/print", ("software-id", "system-id"), max_rows=10)
PACKAGES = Command("/system/package/print", ("name", "version", "disabled"), max_rows=200)
SERVICES = Command("/ip/service/print", ("name", "port", "disabled"), max_rows=100)
GROUPS = Command("/user/group/print", ("name", "policy"), max_rows=200)

_FACTS = (RESOURCE, IDENTITY, ROUTERBOARD, LICENSE, PACKAGES, SERVICES, GROUPS)

# Capabilities that more than one collector may need. A collector brings its own besides.
PROBES = (
    Probe(capability="health", path="/system/health", count_only=False),
    Probe(capability="ethernet", path="/interface/ethernet"),
    Probe(capability="wireless", path="/interface/wireless"),
    Probe(capability="wifiwave2", path="/interface/wifiwave2"),
    Probe(capability="wifi", path="/interface/wifi"),
    Probe(capability="caps_man", path="/caps-man/interface"),
    Probe(capability="w60g", path="/interface/w60g"),
    Probe(capability="lte", path="/interface/lte"),
    Probe(capability="ipv6", path="/ipv6/address"),
    Probe(capability="mpls", path="/mpls/interface"),
    Probe(capability="bgp.session", path="/routing/bgp/session"),
    Probe(capability="bgp.connection", path="/routing/bgp/connection"),
    Probe(capability="bgp.peer", path="/routing/bgp/peer"),
    Probe(capability="ospf", path="/routing/ospf/neighbor"),
    Probe(capability="routing_table", path="/routing/table"),
    Probe(capability="vrf", path="/ip/vrf"),
    Probe(capability="container", path="/container"),
    Probe(capability="hotspot", path="/ip/hotspot"),
    Probe(capability="ppp", path="/ppp/active"),
)

# What is told by the answers to other questions.
DERIVED = frozenset({"routerboard", "wifi_mode", "rest"})

_MAJOR = re.compile(r"\s*v?([0-9]{1,3})\.")


def all_probes(extra: Iterable[Probe] = ()) -> tuple[Probe, ...]:
    """Return the host's probes and those of collectors, each capability once."""
    probes = {probe.capability: probe for probe in PROBES}
    for probe in extra:
        probes.setdefault(probe.capability, probe)
    return tuple(probes.values())


def probe_commands(probes: Sequence[Probe] = PROBES) -> list[Command]:
    """Return the commands of a capability probe: a few singletons, then one count per menu."""
    return [*_FACTS, *dict.fromkeys(probe.to_command() for probe in probes)]


def probe_facts(replies: Sequence[Reply], probes: Sequence[Probe] = PROBES) -> ProbeFacts:
    """Return what the answers to ``probe_commands`` say. Never raises for what a router sent.

    A capability is among the facts only if the router said something of it:
    that its menu is there, or that it isn't. What wasn't answered, for want of
    time, of a right or of anything else, is unknown, and left out.
    """
    answers = {reply.command: reply for reply in replies}
    resource, identity = _row(answers.get(RESOURCE)), _row(answers.get(IDENTITY))
    board = _row(answers.get(ROUTERBOARD))
    version = resource.get("version", "")
    major = _MAJOR.match(version)
    facts = {}
    for probe in probes:
        fact = _fact(probe, answers.get(probe.to_command()))
        if fact is not None:
            facts[fact.name] = fact
    found = (
        _routerboard(answers.get(ROUTERBOARD)),
        _wifi_mode(facts),
        _rest(answers.get(GROUPS), answers.get(SERVICES)),
    )
    facts.update((fact.name, fact) for fact in found if fact is not None)
    for name, package_version in _packages(answers.get(PACKAGES)):
        facts[f"package.{name}"] = CapabilityFact(f"package.{name}", True, package_version)
    license_row = _row(answers.get(LICENSE))
    return ProbeFacts(
        routeros_version=version,
        routeros_major=int(major[1]) if major else 0,
        board_name=resource.get("board-name", "") or board.get("model", ""),
        architecture=resource.get("architecture-name", ""),
        identity=identity.get("name", ""),
        serial_number=board.get("serial-number", "")
        or license_row.get("system-id", "")
        or license_row.get("software-id", ""),
        capabilities=tuple(facts[name] for name in sorted(facts)),
    )


def _row(reply: Reply | None) -> dict[str, str]:
    rows = reply.rows.dicts() if reply is not None and reply.trap is None else []
    return {key: text(value) for key, value in rows[0].items()} if rows else {}


def _fact(probe: Probe, reply: Reply | None) -> CapabilityFact | None:
    """Return what an answer says of a menu; None if it says nothing.

    Only "no such command" says that there is none: a menu that may not be seen,
    is too slow or fails in another way may be there.
    """
    name = probe.capability
    trap = reply.trap if reply is not None else None
    if trap is not None and trap.no_such_command:
        return CapabilityFact(name, False, trap.message)
    if reply is None or trap is not None:
        cause = "silent" if trap is None or trap.timed_out else "denied" if trap.not_permitted else "other"
        metrics.UNKNOWN_CAPABILITIES.labels(cause).inc()
        return None
    count = integer(reply.done.get("ret")) if probe.count_only else reply.rows.count
    if count is None:
        return None if probe.counts else CapabilityFact(name, True, "")
    enough = count >= probe.at_least and (probe.at_most is None or count <= probe.at_most)
    return CapabilityFact(name, enough, str(count))


def _routerboard(reply: Reply | None) -> CapabilityFact | None:
    """Say whether it is hardware of the vendor's: virtual routers have no such menu, or one that says no."""
    if reply is None or (reply.trap is not None and not reply.trap.no_such_command):
        return None
    board = _row(reply)
    there = boolean(board.get("routerboard", "").encode()) is True
    return CapabilityFact("routerboard", there, board.get("model", ""))


_WIFI_MODES = {"wifiwave2": "wifiwave2", "wireless": "legacy", "wifi": "wifi"}


def _wifi_mode(facts: Mapping[str, CapabilityFact]) -> CapabilityFact | None:
    """Say which of the three Wi-Fi menus the device's radios are in (S000-6.2b).

    Newer versions have the menu ``wifi`` on every device, and may have the old
    package besides: the menu with radios in it counts more than an empty one.
    """
    if not _WIFI_MODES.keys() <= facts.keys():
        return None  # the menu that wasn't answered may be the one
    there = [menu for menu in _WIFI_MODES if facts[menu].present]
    with_radios = [menu for menu in there if facts[menu].detail not in {"", "0"}]
    chosen = (with_radios or there or [""])[0]
    return CapabilityFact("wifi_mode", bool(chosen), _WIFI_MODES.get(chosen, "none"))


def _rest(groups: Reply | None, services: Reply | None) -> CapabilityFact | None:
    """Say whether REST is there: a right for it exists, and a web service is on."""
    known = _rows(groups)
    if not known:
        return None
    if not any("rest-api" in row.get("policy", "") for row in known):
        return CapabilityFact("rest", False, "no such right")
    if services is None or services.trap is not None:
        return None
    on = [
        f"{row.get('name')}:{row.get('port', '')}"
        for row in _rows(services)
        if row.get("name") in {"www", "www-ssl"} and boolean(row.get("disabled", "false").encode()) is False
    ]
    return CapabilityFact("rest", bool(on), " ".join(on) or "www and www-ssl are off")


def _rows(reply: Reply | None) -> list[dict[str, str]]:
    if reply is None or reply.trap is not None:
        return []
    return [{key: text(value) for key, value in row.items()} for row in reply.rows.dicts()]


def _packages(reply: Reply | None) -> list[tuple[str, str]]:
    rows = _rows(reply)
    return [
        (row["name"], row.get("version", ""))
        for row in rows
        if row.get("name") and boolean(row.get("disabled", "false").encode()) is not True
    ]
