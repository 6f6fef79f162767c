"""BGP peers, which RouterOS 6 and 7 tell in two ways.

Version 6 has a row per configured peer, whatever became of it. Version 7 has a
row per configured connection, and others for the sessions that there are: a
peer that is down may have none, and isn't missing for that. Both become a row
for each peer that is configured, and for each that called us.

A peer is known by the address of the other side, and its VRF: a session of
version 7 gets another id each time that it is established, a name may be
changed, and the AS of the other side needn't be configured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from mtd.model.command import Rows
from mtd_collector_routing.naming import Row, apart, is_true, joined, plain_address, rows_of

COLUMNS = (
    "peer",
    "name",
    "comment",
    "state",
    "detail",
    "remote-address",
    "remote-as",
    "remote-id",
    "local-address",
    "local-as",
    "vrf",
    "instance",
    "families",
    "role",
    "hold-time",
    "bfd",
    "disabled",
    "session",
    "last-stopped",
    "last-notification",
    "uptime",
    "prefix-count",
)

V6_READS = (
    *(
        "name",
        "instance",
        "remote-address",
        "remote-as",
        "remote-id",
        "local-address",
        "state",
        "established",
    ),
    *("disabled", "uptime", "prefix-count", "address-families", "used-hold-time", "use-bfd", "comment"),
)
V6_INSTANCES = ("name", "as", "routing-table")
V7_READS = (
    *("name", "instance", "remote.address", "remote.as", "local.address", "as", "local.as", "local.role"),
    *("disabled", "inactive", "vrf", "routing-table", "afi", "address-families", "use-bfd", "comment"),
)
V7_SESSIONS = (
    *(".id", "name", "instance", "established", "stopped", "limit-exceeded", "remote.address", "remote.as"),
    *("remote.id", "remote.afi", "local.address", "local.as", "local.role", "ibgp", "ebgp", "vrf", "uptime"),
    *("prefix-count", "hold-time", "use-bfd", "last-stopped", "input.last-notification"),
    *("output.last-notification",),
)

_SESSION = re.compile(rb"(.+)-[0-9]+")
_HOSTS = (b"/32", b"/128")


def peers_of_version_6(peers: Rows, companions: Mapping[str, Rows]) -> Rows:
    """Return a row per configured peer."""
    instances = {row.get("name", b""): row for row in rows_of(companions.get("instances"))}
    return joined(apart("peer", _v6(peers, instances), ("name",)), COLUMNS)


def peers_of_version_7(connections: Rows, companions: Mapping[str, Rows]) -> Rows:
    """Return a row per connection to one peer, with its session, and one per session that we were called for."""
    sessions = rows_of(companions.get("sessions"))
    return joined(apart("peer", _v7(rows_of(connections), sessions), ("name",)), COLUMNS)


def _v6(peers: Rows, instances: Mapping[bytes, Row]) -> Iterator[Row]:
    for row in rows_of(peers):
        instance = instances.get(row.get("instance", b""), {})
        address = row.get("remote-address", b"")
        if not address:
            continue
        made = _kept(
            row, "name", "comment", "instance", "remote-as", "remote-id", "local-address", "disabled"
        )
        made |= _kept(row, "uptime", "prefix-count")
        made |= _renamed(
            row, {"address-families": "families", "used-hold-time": "hold-time", "use-bfd": "bfd"}
        )
        made |= _renamed(instance, {"as": "local-as"})
        yield made | _identity(address, instance.get("routing-table", b"")) | _v6_state(row)


def _v6_state(row: Row) -> Row:
    word = row.get("state", b"")
    if is_true(row.get("disabled")):
        return {"state": b"disabled"}
    if not word and "established" not in row:
        return {}
    up = word == b"established" or is_true(row.get("established"))
    return {"state": b"established" if up else b"down"} | ({"detail": word} if word else {})


def _v7(connections: list[Row], sessions: list[Row]) -> Iterator[Row]:
    named, unnamed = _by_connection(sessions)
    for connection in connections:
        configured = connection.get("remote.address", b"")
        one_peer = _is_one_peer(configured)
        mine = named.pop(connection.get("name", b""), [])
        if not mine and one_peer:
            mine = unnamed.pop(plain_address(configured), [])
        if not mine and not one_peer:
            continue  # it waits for peers of a network: none of them is known until it calls
        for session in mine or [{}]:
            row = _v7_row(connection, session)
            yield row if one_peer else row | {"name": session.get("name", row["peer"])}
    for rest in (*named.values(), *unnamed.values()):
        for session in rest:
            yield _v7_row({}, session)


def _by_connection(sessions: Iterable[Row]) -> tuple[dict[bytes, list[Row]], dict[bytes, list[Row]]]:
    """Return sessions by the names of their connections, which have a number behind them; others by address."""
    named: dict[bytes, list[Row]] = {}
    unnamed: dict[bytes, list[Row]] = {}
    for row in sessions:
        address = plain_address(row.get("remote.address", b""))
        found = _SESSION.fullmatch(row.get("name", b""))
        if found is not None:
            named.setdefault(found[1], []).append(row)
        elif address:
            unnamed.setdefault(address, []).append(row)
    return named, unnamed


def _is_one_peer(configured: bytes) -> bool:
    return bool(configured) and (b"/" not in configured or configured.partition(b"@")[0].endswith(_HOSTS))


def _v7_row(connection: Row, session: Row) -> Row:
    configured = connection.get("remote.address", b"")
    address = session.get("remote.address") or configured
    vrf = session.get("vrf") or connection.get("vrf") or b""
    made = _renamed(
        connection, {"remote.as": "remote-as", "local.address": "local-address", "as": "local-as"}
    )
    made |= _renamed(connection, {"address-families": "families", "afi": "families", "use-bfd": "bfd"})
    made |= _renamed(connection, {"local.as": "local-as", "local.role": "role"})
    made |= _kept(connection, "name", "comment", "instance", "disabled")
    made |= _renamed(session, {"remote.as": "remote-as", "remote.id": "remote-id", "local.as": "local-as"})
    made |= _renamed(session, {"local.address": "local-address", "remote.afi": "families", "use-bfd": "bfd"})
    made |= _renamed(session, {"output.last-notification": "last-notification"})
    made |= _renamed(session, {"input.last-notification": "last-notification"})
    made |= _kept(session, "instance", "hold-time", "last-stopped")
    made.setdefault("name", session.get("name") or plain_address(address))
    for role in ("ibgp", "ebgp"):
        if role in session:
            made["role"] = role.encode()
    state = _v7_state(connection, session)
    if state["state"] == b"established":
        # Attempts have ids as well: only another established session says that the one before broke.
        made |= _kept(session, "uptime", "prefix-count") | _renamed(session, {".id": "session"})
    return made | _identity(address, vrf) | state


def _v7_state(connection: Row, session: Row) -> Row:
    if is_true(connection.get("disabled")):
        return {"state": b"disabled"}
    if is_true(session.get("established")):
        return {"state": b"established"}
    for flag in ("stopped", "limit-exceeded"):
        if flag in session and session[flag] not in {b"false", b"no"}:
            return {"state": b"disabled" if flag == "stopped" else b"down", "detail": flag.encode()}
    if is_true(connection.get("inactive")):
        return {"state": b"down", "detail": b"inactive"}
    return {"state": b"down"}


def _identity(address: bytes, vrf: bytes) -> Row:
    plain, of_address = plain_address(address), address.partition(b"@")[2]
    table = vrf or of_address
    if table in {b"", b"main"}:
        return {"peer": plain, "remote-address": plain}
    return {"peer": plain + b"@" + table, "remote-address": plain, "vrf": table}


def _kept(row: Row, *names: str) -> Row:
    return {name: row[name] for name in names if name in row}


def _renamed(row: Row, names: Mapping[str, str]) -> Row:
    return {new: row[old] for old, new in names.items() if row.get(old)}
