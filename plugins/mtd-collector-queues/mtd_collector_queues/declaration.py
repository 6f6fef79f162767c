"""What is read of queues, and what it means.

The queues of sessions (dynamic ones, one for each PPPoE subscriber) never become
series: they are counted. Of the others those with the most traffic are read at
the live tier, the rest more seldom.
"""

from __future__ import annotations

from collections.abc import Mapping

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Counter,
    DerivedRate,
    Gauge,
    Labels,
    Menu,
    Parse,
    Probe,
    Selectable,
    State,
    StateEvent,
    TableKind,
    columns,
    snapshot,
)
from mtd_collector_queues.pairs import (
    COUNTED,
    LIMITS,
    WAYS,
    lasting_interfaces,
    limits,
    tree_limits,
    usage,
)

SIMPLE = "queue.simple"
TREE = "queue.tree"
_NOT_DYNAMIC = ("dynamic=true", "#!")
_SWITCHED_ON = ("disabled=true", "#!")
_IN_USE = (*_NOT_DYNAMIC, *_SWITCHED_ON)
# Over this a router's queues are subscribers, whose usage is for accounting, not for graphs.
MOST_QUEUES = 1_000
_FEW = "queue.simple.few"
_FEW_IN_TREES = "queue.tree.few"
_FEW_INTERFACES = "queue.interfaces.few"


def _flow(scope: str, field: str, noun: str, unit: Unit, did: str) -> Counter:
    """Return a counter of bytes or packets, and its rate. ``noun`` is what both keys begin with."""
    is_bytes = unit is Unit.BYTES
    what, ending, per = ("bytes", "bps", "Bits") if is_bytes else ("packets", "pps", "Packets")
    return Counter(
        field=field,
        key=f"{scope}.{noun}_{what}_total",
        unit=unit,
        description=f"{what.capitalize()} {did}.",
        since="1",
        rate=DerivedRate(
            key=f"{scope}.{noun}_{ending}",
            unit=Unit.BITS_PER_SECOND if is_bytes else Unit.PACKETS_PER_SECOND,
            scale=8.0 if is_bytes else 1.0,
            description=f"{per} {did}, per second.",
            since="1",
        ),
    )


def _waiting(scope: str, field: str, noun: str, unit: Unit, description: str) -> Gauge:
    return Gauge(
        field=field,
        key=f"{scope}.{noun}",
        unit=unit,
        description=description,
        since="1",
        expected_min=0.0,
    )


def _validity(scope: str) -> State:
    return State(
        field="invalid",
        key=f"{scope}.state",
        description="Whether the router can use the queue: not without its parent, target or type.",
        since="1",
        states={"invalid": 0, "valid": 1},
        words={"true": "invalid", "yes": "invalid", "false": "valid", "no": "valid"},
        event=StateEvent(
            event_type=f"{scope}.validity.changed",
            entity_type="queue",
            message="queue {label} is {new} now",
            severities={"invalid": Severity.WARNING},
        ),
    )


def _simple_way(way: str) -> tuple[Counter | Gauge, ...]:
    goes = f"in {way} direction"
    return (
        _flow(SIMPLE, f"{way}-bytes", way, Unit.BYTES, f"sent {goes}"),
        _flow(SIMPLE, f"{way}-packets", way, Unit.PACKETS, f"sent {goes}"),
        _flow(SIMPLE, f"{way}-dropped", f"{way}_dropped", Unit.PACKETS, f"dropped {goes}"),
        _waiting(
            SIMPLE, f"{way}-queued-bytes", f"{way}_queued_bytes", Unit.BYTES, f"Bytes that wait {goes}."
        ),
        _waiting(
            SIMPLE,
            f"{way}-queued-packets",
            f"{way}_queued_packets",
            Unit.PACKETS,
            f"Packets that wait {goes}.",
        ),
    )


SIMPLE_USAGE = Menu(
    name="simple-usage",
    path="/queue/simple",
    kind=TableKind.METRICS,
    tier=Tier.T0,
    row_key=".id",
    scope=SIMPLE,
    queries=_IN_USE,
    requires=_FEW,
    reads=(*COUNTED, "invalid"),
    transform=usage,
    selectable=Selectable(traffic=tuple(f"{way}-bytes" for way in WAYS), noun="queue"),
    max_rows=MOST_QUEUES + 500,
    max_bytes=1024 * 1024,
    max_instances=MOST_QUEUES,
    fields=(_validity(SIMPLE), *_simple_way("upload"), *_simple_way("download")),
)

TREE_USAGE = Menu(
    name="tree-usage",
    path="/queue/tree",
    kind=TableKind.METRICS,
    tier=Tier.T0,
    row_key=".id",
    scope=TREE,
    queries=_SWITCHED_ON,
    requires=_FEW_IN_TREES,
    selectable=Selectable(traffic=("bytes",), noun="queue"),
    max_rows=MOST_QUEUES + 500,
    max_bytes=1024 * 1024,
    max_instances=MOST_QUEUES,
    fields=(
        _validity(TREE),
        _flow(TREE, "bytes", "sent", Unit.BYTES, "sent"),
        _flow(TREE, "packets", "sent", Unit.PACKETS, "sent"),
        _flow(TREE, "dropped", "dropped", Unit.PACKETS, "dropped"),
        _waiting(TREE, "queued-bytes", "queued_bytes", Unit.BYTES, "Bytes that wait."),
        _waiting(TREE, "queued-packets", "queued_packets", Unit.PACKETS, "Packets that wait."),
    ),
)


def _count(name: str, tier: Tier, queries: tuple[str, ...], description: str) -> Menu:
    return Menu(
        name=name,
        path="/queue/simple",
        kind=TableKind.COUNT_ONLY,
        tier=tier,
        queries=queries,
        max_rows=100,
        max_bytes=65_536,
        fields=(
            Gauge(
                field="count",
                key=f"queue.simple_{name}",
                unit=Unit.COUNT,
                description=description,
                since="1",
                expected_min=0.0,
            ),
        ),
    )


DYNAMIC = _count("dynamic", Tier.T1, ("dynamic=true",), "Simple queues of sessions.")
STATIC = _count("static", Tier.T2, _NOT_DYNAMIC, "Simple queues that somebody configured.")


def same_simple(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether two rows with one id are one queue: it may be renamed, or get another target; not both."""
    return before.get("name") == now.get("name") or before.get("target") == now.get("target")


def same_tree(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether two rows with one id are one queue: it may be renamed, or moved; not both."""
    place = ("parent", "packet-mark")
    return before.get("name") == now.get("name") or all(before.get(key) == now.get(key) for key in place)


SIMPLE_QUEUES = Menu(
    name="simple",
    path="/queue/simple",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T3,
    table="queue_simple",
    row_key=".id",
    scope=SIMPLE,
    queries=_NOT_DYNAMIC,
    labels=Labels(name="name", comment="comment"),
    same_thing=same_simple,
    private=("name", "comment", "target", "dst"),
    max_rows=20_000,
    max_bytes=16 * 1024 * 1024,
    max_instances=20_000,
    fields=columns(
        "name",
        "comment",
        "target",
        "dst",
        "parent",
        "packet-marks",
        "priority",
        "queue",
        *LIMITS,
        "burst-limit",
        "burst-threshold",
        "burst-time",
        "bucket-size",
        "time",
        "disabled",
    ),
)

TREE_QUEUES = Menu(
    name="tree",
    path="/queue/tree",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T3,
    table="queue_tree",
    row_key=".id",
    scope=TREE,
    labels=Labels(name="name", comment="comment"),
    same_thing=same_tree,
    max_rows=5_000,
    fields=columns(
        "name",
        "comment",
        "parent",
        "packet-mark",
        "priority",
        "queue",
        *LIMITS,
        "burst-limit",
        "burst-threshold",
        "burst-time",
        "bucket-size",
        "disabled",
    ),
)


def _limit(scope: str, field: str, key: str, description: str) -> Gauge:
    return Gauge(
        field=field,
        key=f"{scope}.{key}_bps",
        unit=Unit.BITS_PER_SECOND,
        description=f"{description}; absent without a limit.",
        since="1",
        parse=Parse.RATE,
        expected_min=0.0,
    )


SIMPLE_LIMITS = Menu(
    name="simple-limits",
    path="/queue/simple",
    kind=TableKind.METRICS,
    tier=Tier.T3,
    row_key=".id",
    scope=SIMPLE,
    queries=_NOT_DYNAMIC,
    requires=_FEW,
    reads=LIMITS,
    transform=limits,
    max_rows=MOST_QUEUES + 500,
    max_bytes=1024 * 1024,
    max_instances=MOST_QUEUES,
    fields=tuple(
        entry
        for way in WAYS
        for entry in (
            _limit(SIMPLE, f"{way}-max-limit", f"{way}_limit", f"Most that may be sent in {way} direction"),
            _limit(SIMPLE, f"{way}-limit-at", f"{way}_assured", f"What is assured in {way} direction"),
        )
    ),
)

TREE_LIMITS = Menu(
    name="tree-limits",
    path="/queue/tree",
    kind=TableKind.METRICS,
    tier=Tier.T3,
    row_key=".id",
    scope=TREE,
    reads=LIMITS,
    transform=tree_limits,
    max_rows=5_000,
    max_instances=MOST_QUEUES,
    fields=(
        _limit(TREE, "max-limit", "limit", "Most that may be sent"),
        _limit(TREE, "limit-at", "assured", "What is assured"),
    ),
)

TYPES = snapshot(
    "queue.type",
    "/queue/type",
    "kind",
    "default",
    "pfifo-limit",
    "bfifo-limit",
    "mq-pfifo-limit",
    "sfq-perturb",
    "sfq-allot",
    "red-limit",
    "red-min-threshold",
    "red-max-threshold",
    "red-burst",
    "red-avg-packet",
    "pcq-rate",
    "pcq-limit",
    "pcq-total-limit",
    "pcq-classifier",
    "pcq-burst-rate",
    "pcq-burst-threshold",
    "pcq-burst-time",
    "codel-limit",
    "codel-target",
    "codel-interval",
    "codel-ecn",
    "fq-codel-limit",
    "fq-codel-flows",
    "fq-codel-quantum",
    "fq-codel-target",
    "fq-codel-interval",
    "cake-bandwidth",
    "cake-rtt",
    "cake-overhead",
    "cake-mpu",
    "cake-diffserv",
    "cake-flowmode",
    "cake-nat",
    row_key="name",
)

INTERFACES = snapshot(
    "queue.interface",
    "/queue/interface",
    "queue",
    "default-queue",
    "active-queue",
    row_key="interface",
    requires=_FEW_INTERFACES,
    transform=lasting_interfaces,
    max_rows=3_000,
)

COLLECTOR = Collector(
    name="queues",
    api=1,
    description="Queues: what goes through simple queues and queue trees, what they drop, how they are set",
    menus=(
        SIMPLE_USAGE,
        TREE_USAGE,
        DYNAMIC,
        STATIC,
        SIMPLE_QUEUES,
        TREE_QUEUES,
        SIMPLE_LIMITS,
        TREE_LIMITS,
        TYPES,
        INTERFACES,
    ),
    probes=(
        Probe(capability=_FEW, path="/queue/simple", queries=_NOT_DYNAMIC, at_most=MOST_QUEUES),
        Probe(capability=_FEW_IN_TREES, path="/queue/tree", queries=_SWITCHED_ON, at_most=MOST_QUEUES),
        Probe(capability=_FEW_INTERFACES, path="/queue/interface", at_most=2_000),
    ),
)
