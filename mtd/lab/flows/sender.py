"""A router's flows on their way to a collector: datagrams over UDP, so many flows a second."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from mtd.lab.flows.generator import FlowGenerator, FlowPlan
from mtd.lab.flows.layouts import Dialect
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_KEY = 9
_OFTEN_S, _SELDOM_S = 0.1, 5.0
_PER_TURN = 100  # a few datagrams: making them costs about as much for one flow as for a hundred
_MOST_BEHIND_S = 1.0
_NEVER_US = 1 << 62


class FlowSender:
    """Sends the flows of a router while it runs.

    ``rate``: flows a second. What couldn't be sent because this machine was busy for longer than a second never was.
    """

    def __init__(self, state: RouterState, target: str) -> None:
        spec = state.truth.spec
        host, _, port = target.rpartition(":")
        self._state = state
        self._target = (host.strip("[]"), int(port))
        self._rate = spec.flow_rate
        self._socket = socket.socket(
            socket.AF_INET6 if ":" in self._target[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        self._socket.setblocking(False)
        if spec.address is not None:
            self._socket.bind((spec.address, 0))
        self.generator = FlowGenerator(
            plan_of(state),
            key=mix(state.truth.key, _KEY),
            boot_us=state.clock.epoch_us - state.truth.uptime_at_start_s * 1_000_000,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at = 0.0

    def start(self) -> None:
        """Begin to send."""
        self._sent_at = asyncio.get_running_loop().time()
        self._send()

    def stop(self) -> None:
        """Send nothing any more; ``start`` goes on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._socket.close()

    def withhold_templates(self, for_s: float | None) -> None:
        """Send no templates for so long; for good if None."""
        until_us = _NEVER_US if for_s is None else self._now_us() + round(for_s * 1e6)
        self.generator.withhold_templates(until_us)

    def restart(self) -> None:
        """Send on as a router does that has just booted."""
        self.generator.restart(self._now_us())
        self.start()

    def _now_us(self) -> int:
        return self._state.clock.us_at(self._state.clock.now_tick())

    def _send(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._sent_at = max(self._sent_at, now - _MOST_BEHIND_S)
        count = int((now - self._sent_at) * self._rate)
        if count:
            self._sent_at += count / self._rate
            stats = self._state.stats
            for datagram in self.generator.take(count, self._now_us()).datagrams:
                try:
                    self._socket.sendto(datagram, self._target)
                except OSError:  # as a router does, it doesn't mind
                    stats.flow_datagrams_unsent += 1
                else:
                    stats.flow_datagrams_sent += 1
        wait_s = min(max(_PER_TURN / self._rate, _OFTEN_S), _SELDOM_S)
        self._timer = loop.call_later(wait_s, self._send)


def plan_of(state: RouterState) -> FlowPlan:
    """Return how a router's exporter is set up."""
    spec = state.truth.spec
    indexes = tuple(int(one.id[1:], 16) for one in state.truth.all_interfaces if not one.dynamic)
    return FlowPlan(
        form=spec.flow_form,
        dialect=Dialect.ROUTEROS7 if state.persona.is_v7 else Dialect.ROUTEROS6,
        sampling=spec.flow_sampling,
        sampling_in_records=True,
        interfaces=indexes,
        agent=spec.address or "127.0.0.1",
    )
