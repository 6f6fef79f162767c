"""What happens between a collector at the edge and its hub: a line that is cut or bad, no names, and an end that is killed."""

from __future__ import annotations

from dataclasses import dataclass

from mtd.testing.faults import victims
from mtd.testing.faults.edge_fleet import EdgeFleet
from mtd.testing.faults.fleet import Fleet

_LATE_S = 0.6


def _well(site: EdgeFleet) -> bool:
    return site.is_ready() and site.edge.is_ready() and site.fresh()


@dataclass(slots=True)
class Cut:
    """The cable is pulled. Both ends notice, and the collector polls on.

    ``first``: how many polls of the time of the cut the hub had when all values were live again.
    """

    site: EdgeFleet
    name: str = "line between collector and hub cut"
    runbook: str = "agent-offline"
    began: float = 0.0
    ended: float = 0.0
    first: int | None = None

    def strike(self, fleet: Fleet) -> None:
        """Pull it."""
        self.began = fleet.clock()
        self.site.line.cut = True

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether the collector says that the hub is away, and the hub that the collector is."""
        return "hub" in self.site.edge.readiness()["reasons"] and _told(
            fleet, "collector.offline", self.began
        )

    def mend(self, fleet: Fleet) -> bool:
        """Put it back."""
        self.ended = fleet.clock()
        self.site.line.mend()
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether values are live, and both ends say that all is well."""
        if self.first is None and fleet.fresh():
            self.first = self.polls(fleet)
        return _well(self.site) and _told(fleet, "collector.online", self.began)

    def polls(self, fleet: Fleet) -> int:
        """Return how many polls of the time of the cut the hub has by now."""
        statement = "SELECT count(*) FROM telemetry_frame WHERE ts_collected BETWEEN to_timestamp(%s) AND to_timestamp(%s)"
        return int(fleet.value(statement, self.began, self.ended))


def _told(fleet: Fleet, event_type: str, since: float) -> bool:
    statement = "SELECT count(*) FROM event WHERE event_type = %s AND ts_collected >= to_timestamp(%s)"
    return bool(fleet.value(statement, event_type, since))


def _calls(site: EdgeFleet) -> float:
    return site.edge.metric("mtd_forwarding_connects_total")


@dataclass(slots=True)
class KillInBackfill:
    """``kill -9`` of one end, while the collector sends what was missed."""

    site: EdgeFleet
    of_hub: bool
    runbook: str = "agent-offline"
    events: int = 80
    began: float = 0.0
    calls: float = 0.0

    @property
    def name(self) -> str:
        """What the figures call it."""
        return f"kill -9 of {'hub' if self.of_hub else 'collector'} during backfill"

    def strike(self, fleet: Fleet) -> None:
        """Let events wait, let them begin to flow, and kill."""
        site = self.site
        site.line.cut = True
        fleet.wait_for(lambda: not site.connected(), "the line is cut", 60)
        least = site.edge.metric("mtd_eventlog_last_seq") + self.events
        fleet.wait_for(lambda: site.edge.metric("mtd_eventlog_last_seq") > least, "events wait", 60)
        site.line.mend()
        fleet.wait_for(
            lambda: site.connected() and fleet.fresh() and site.waiting() > 0, "the backfill flows", 60
        )
        self.began, self.calls = fleet.clock(), _calls(site)
        victims.kill(fleet.pid if self.of_hub else site.edge_process.pid)

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether the collector calls the hub anew; or, of a collector, whether it says that nobody watched."""
        if self.of_hub:
            return _calls(self.site) > self.calls
        return _told(fleet, "collector.started", self.began)

    def mend(self, fleet: Fleet) -> bool:
        """Nobody does anything."""
        return False

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether both ends say that all is well, and values are live."""
        return _well(self.site)


@dataclass(slots=True)
class BadLineToHub:
    """The line loses packets, or is long. What is new comes late, and mtd tells how late."""

    site: EdgeFleet
    loss: float = 0.0
    round_trip_s: float = 0.0
    runbook: str = "ingest-backlog"

    @property
    def name(self) -> str:
        """What the figures call it."""
        what = f"{self.loss:.0%} packet loss" if self.loss else f"latency {self.round_trip_s * 1000:.0f} ms"
        return f"{what} between collector and hub"

    def strike(self, fleet: Fleet) -> None:
        """Make it bad."""
        self.site.line.loss, self.site.line.delay_s = self.loss, self.round_trip_s / 2

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether the collector counts that the hub lags behind."""
        return self.site.edge.metric("mtd_forwarding_lag_seconds", lane="live") > _LATE_S

    def mend(self, fleet: Fleet) -> bool:
        """Make it good."""
        self.site.line.mend()
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all is well."""
        return _well(self.site)


@dataclass(slots=True)
class HubForgotten:
    """A firewall between collector and hub forgets their connections and says nothing. ``no_names``: DNS is gone as well."""

    site: EdgeFleet
    no_names: bool = False
    runbook: str = "agent-offline"
    before: float = 0.0

    @property
    def name(self) -> str:
        """What the figures call it."""
        return "connections to the hub forgotten on the way" + (", DNS gone" if self.no_names else "")

    def strike(self, fleet: Fleet) -> None:
        """Forget."""
        self.before = _calls(self.site)
        self.site.names.silent = self.no_names
        self.site.line.forget()

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether the collector calls the hub anew; without names, whether it says that the hub is away."""
        away = "hub" in self.site.edge.readiness()["reasons"]
        return away if self.no_names else _calls(self.site) > self.before

    def mend(self, fleet: Fleet) -> bool:
        """Bring names back; for the rest nobody does anything."""
        self.site.names.silent = False
        return self.no_names

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all is well."""
        return _calls(self.site) > self.before and _well(self.site)
