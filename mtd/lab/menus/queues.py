"""Queues: simple ones, those of sessions among them, a tree, and what they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.lab.menus.base import Menu, Row, row
from mtd.lab.meters import reading, since_boot

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_FIRST_DYNAMIC_ID = 0xF00001
_FIRST_TREE_ID = 0x1000000
_PACKET_BYTES = 800
_MEGABIT = 1_000_000
# The last queue of several has a target that isn't there.
_INVALID_FROM = 3
# Numbers of meters: those of queues aren't those of anything else.
_SIMPLE, _TREE, _DYNAMIC = 1_000_000, 2_000_000, 3_000_000


def _usage(state: RouterState, thing: int, tick: int, mean_bytes_per_s: tuple[int, int]) -> Row:
    """Return what went up and down through a simple queue."""
    truth = state.truth
    sent = [since_boot(truth, thing + way, mean, tick) for way, mean in enumerate(mean_bytes_per_s)]
    dropped = [since_boot(truth, thing + 2 + way, 3 * way, tick) for way in (0, 1)]
    queued = [max(0, reading(truth, thing + 4 + way, 4 * way, 6, tick)) for way in (0, 1)]
    return row(
        bytes=_pair(*sent),
        packets=_pair(*(count // _PACKET_BYTES for count in sent)),
        dropped=_pair(*dropped),
        rate="0/0",
        packet_rate="0/0",
        queued_packets=_pair(*queued),
        queued_bytes=_pair(*(count * _PACKET_BYTES for count in queued)),
    )


def _pair(upload: int, download: int) -> str:
    return f"{upload}/{download}"


def _simple(state: RouterState, tick: int) -> list[Row]:
    spec = state.truth.spec
    rows = []
    for number in range(spec.queues):
        limit = (number % 10 + 1) * 10 * _MEGABIT
        rows.append(
            {b".id": f"*{number + 1:X}".encode()}
            | row(
                name=f"customer-{number + 1}",
                target=f"10.200.{number // 250}.{number % 250 + 2}/32",
                parent="none",
                packet_marks="",
                priority="8/8",
                queue="default-small/default-small",
                limit_at="0/0",
                max_limit=_pair(limit // 5, 0 if number % 4 == 3 else limit),
                burst_limit="0/0",
                burst_threshold="0/0",
                burst_time="0s/0s",
                bucket_size="0.1/0.1",
            )
            | _usage(state, _SIMPLE + 10 * number, tick, (2_000 + 10 * number, 40_000 + 100 * number))
            | row(
                invalid=spec.queues > _INVALID_FROM and number == spec.queues - 1,
                dynamic=False,
                disabled=False,
            )
        )
    return rows + _of_sessions(state, tick)


def _of_sessions(state: RouterState, tick: int) -> list[Row]:
    shown = state.truth.shown(state.truth.segment(tick))
    return [
        {b".id": f"*{_FIRST_DYNAMIC_ID + number:X}".encode()}
        | row(name=item.name, target=item.name, parent="none", max_limit="10000000/50000000")
        | _usage(state, _DYNAMIC + 10 * number, tick, (1_000, 20_000))
        | row(invalid=False, dynamic=True, disabled=False)
        for number, item in enumerate(item for item in shown if item.dynamic)
    ]


def _tree(state: RouterState, tick: int) -> list[Row]:
    truth = state.truth
    rows = []
    for number in range((truth.spec.queues + 3) // 4):
        thing = _TREE + 10 * number
        sent = since_boot(truth, thing, 50_000, tick)
        queued = max(0, reading(truth, thing + 2, 2, 5, tick))
        rows.append(
            {b".id": f"*{_FIRST_TREE_ID + number:X}".encode()}
            | row(
                name=f"class-{number + 1}",
                parent="global" if number == 0 else "class-1",
                packet_mark="" if number == 0 else f"mark-{number}",
                limit_at=0,
                queue="default",
                priority=8,
                max_limit=100 * _MEGABIT if number == 0 else 0,
                burst_limit=0,
                burst_threshold=0,
                burst_time="0s",
                bucket_size="0.1",
                bytes=sent,
                packets=sent // _PACKET_BYTES,
                dropped=since_boot(truth, thing + 1, 2, tick),
                rate=0,
                packet_rate=0,
                queued_packets=queued,
                queued_bytes=queued * _PACKET_BYTES,
                invalid=False,
                disabled=False,
            )
        )
    return rows


def _types(state: RouterState, _tick: int) -> list[Row]:
    kinds = [
        row(name="default", kind="pfifo", pfifo_limit=50, default=True),
        row(name="default-small", kind="pfifo", pfifo_limit=10, default=True),
        row(name="pcq-download-default", kind="pcq", pcq_rate=0, pcq_limit="50KiB", default=True),
    ]
    if state.persona.is_v7:
        kinds.append(row(name="wan", kind="cake", cake_diffserv="besteffort", default=False))
    return [{b".id": b"*%X" % (number + 1)} | kind for number, kind in enumerate(kinds)]


def _interfaces(state: RouterState, tick: int) -> list[Row]:
    truth = state.truth
    segment = truth.segment(tick)
    rows = []
    for item in truth.shown(segment):
        name, _ = truth.label(segment, item)
        kind = (
            "default-small" if item.dynamic else "only-hardware-queue" if item.type == "ether" else "no-queue"
        )
        rows.append(
            {b".id": item.id.encode()}
            | row(interface=name, queue=kind, default_queue=kind, active_queue=kind)
        )
    return rows


def queue_menus(_state: RouterState) -> list[Menu]:
    """Return the menus of ``/queue``."""
    return [
        Menu("/queue/simple", _simple),
        Menu("/queue/tree", _tree),
        Menu("/queue/type", _types),
        Menu("/queue/interface", _interfaces),
    ]
