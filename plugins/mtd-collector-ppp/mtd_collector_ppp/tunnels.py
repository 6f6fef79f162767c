"""Tunnels and dialled connections: what there is of each kind, put together into two tables.

Whether an interface runs is a series of the collector of interfaces; these
tables say where it goes to, and count what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtd.model.command import Rows
from mtd.model.metric import Tier
from mtd.plugin import Companion, Menu, Probe, TableKind, Tally, columns

Raw = bytes | None
_ID = ".id"
_COMMON = ("name", "comment", "running", "disabled")
_TUNNEL = (
    *_COMMON,
    "local-address",
    "remote-address",
    "keepalive",
    "tunnel-id",
    "mtu",
    "actual-mtu",
    "clamp-tcp-mss",
    "dont-fragment",
)
_CLIENT = (
    *_COMMON,
    "user",
    "connect-to",
    "interface",
    "service-name",
    "port",
    "profile",
    "add-default-route",
    "use-ipsec",
    "dial-on-demand",
)
_TUNNELS = ("eoip", "eoipv6", "gre", "gre6", "ipip", "ipipv6")
_CLIENTS = ("pppoe-client", "l2tp-client", "sstp-client", "ovpn-client", "pptp-client")


def _capability(kind: str) -> str:
    return f"{kind}.some"


PROBES = tuple(
    # Every router has these menus. They are read where there is something in them.
    Probe(capability=_capability(kind), path=f"/interface/{kind}", at_least=1)
    for kind in (*_TUNNELS, *_CLIENTS)
)


def _reads(kinds: Sequence[str], fields: tuple[str, ...]) -> tuple[Companion, ...]:
    return tuple(
        Companion(
            name=kind,
            path=f"/interface/{kind}",
            reads=(_ID, *fields),
            requires=_capability(kind),
            needed=True,
        )
        for kind in kinds
    )


def _together(fields: Sequence[str]) -> Callable[[Rows, Mapping[str, Rows]], Rows]:
    """Return what puts the rows of all kinds together, each with its kind."""

    def join(_rows: Rows, others: Mapping[str, Rows]) -> Rows:
        columns_: dict[str, list[Raw]] = {name: [] for name in (_ID, "kind", *fields)}
        for kind, rows in others.items():
            columns_[_ID] += rows.column(_ID)
            columns_["kind"] += [kind.removesuffix("-client").encode()] * rows.count
            for name in fields:
                columns_[name] += rows.column(name)
        return Rows(len(columns_[_ID]), dict(columns_))

    return join


def _table(name: str, title: str, kinds: Sequence[str], fields: tuple[str, ...]) -> Menu:
    scope = f"{name}.kind"
    return Menu(
        name=f"{name}s",
        # Every router has it; the rows are those of the companions.
        path="/system/resource",
        kind=TableKind.CURRENT_STATE,
        tier=Tier.T2,
        table=name,
        row_key=_ID,
        reads=("uptime",),
        companions=_reads(kinds, fields),
        join=_together(fields),
        private=("comment", *(["user"] if "user" in fields else [])),
        fields=columns("kind", *fields),
        tallies=(
            Tally(
                key=f"{scope}.configured",
                description=f"{title} of one kind that are configured.",
                since="1",
                by="kind",
                scope=scope,
            ),
            Tally(
                key=f"{scope}.running",
                description=f"{title} of one kind that run.",
                since="1",
                where=(("running", "true"),),
                by="kind",
                scope=scope,
            ),
        ),
    )


TUNNELS = _table("tunnel", "Tunnels", _TUNNELS, _TUNNEL)
CLIENTS = _table("vpn_client", "Dialled connections", _CLIENTS, _CLIENT)

MENUS = (TUNNELS, CLIENTS)
