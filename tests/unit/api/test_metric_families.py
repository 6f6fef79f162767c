from __future__ import annotations

import re

import pytest

from mtd.api.http.metric_families import Families, Type, family_of, label_of
from mtd.model.catalogue import Catalogue
from mtd.model.metric import Kind, Lane, Metric, Tier, Unit
from mtd.plugin.manager import PluginManager


def metric(key: str, unit: Unit, kind: Kind = Kind.GAUGE, **more: object) -> Metric:
    return Metric(key, unit, kind, Tier.T0, "What it is.", "1", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "unit", "kind", "sample", "shown"),
    [
        ("iface.rx_bytes_total", Unit.BYTES, Kind.COUNTER, "routeros_iface_rx_bytes_total", "bytes"),
        ("iface.link_downs_total", Unit.EVENTS, Kind.COUNTER, "routeros_iface_link_downs_total", ""),
        ("iface.rx_bps", Unit.BITS_PER_SECOND, Kind.RATE, "routeros_iface_rx_bps", "bps"),
        ("iface.rx_errors_per_s", Unit.EVENTS_PER_SECOND, Kind.RATE, "routeros_iface_rx_errors_per_second", ""),
        ("system.cpu.load_pct", Unit.PERCENT, Kind.GAUGE, "routeros_system_cpu_load_ratio", "ratio"),
        ("system.uptime_seconds", Unit.SECONDS, Kind.GAUGE, "routeros_system_uptime_seconds", "seconds"),
        ("iface.oper_state", Unit.STATE, Kind.STATE, "routeros_iface_oper_state", ""),
        ("queue.depth", Unit.BYTES, Kind.GAUGE, "routeros_queue_depth_bytes", "bytes"),
        ("queue.dropped", Unit.BYTES, Kind.COUNTER, "routeros_queue_dropped_bytes_total", "bytes"),
    ],
)  # fmt: skip
def test_names_follow_the_rule(key: str, unit: Unit, kind: Kind, sample: str, shown: str) -> None:
    family = family_of(metric(key, unit, kind))
    assert (family.sample, family.unit) == (sample, shown)
    assert family.divisor == (100 if unit is Unit.PERCENT else 1)
    # OpenMetrics wants the unit at the end of the family's name.
    assert family.name.endswith(shown)


def test_states_are_told_by_number() -> None:
    family = family_of(metric("a.state", Unit.STATE, Kind.STATE, states={"up": 1, "down": 0}))
    assert family.help == "What it is. 0: down, 1: up."


@pytest.mark.parametrize(
    ("scope", "label"),
    [("iface", "interface"), ("system.health", "sensor"), ("system.core", "core"), ("device", "thing"), ("", "thing")],
)  # fmt: skip
def test_labels_are_those_that_people_read(scope: str, label: str) -> None:
    assert label_of(scope) == label


def test_a_metric_whose_egg_is_gone_keeps_a_name() -> None:
    families = Families(Catalogue())
    counter = families.of("ppp.rx_total", Lane.COUNTER)
    gauge = families.of("ppp.sessions", Lane.GAUGE)
    assert counter is not None
    assert gauge is not None
    assert (counter.sample, counter.type, counter.label) == ("routeros_ppp_rx_total", Type.COUNTER, "ppp")
    assert (gauge.sample, gauge.type) == ("routeros_ppp_sessions", Type.GAUGE)
    assert families.of("ppp.sessions", Lane.GAUGE) is gauge


def test_two_keys_never_share_a_name(caplog: pytest.LogCaptureFixture) -> None:
    catalogue = Catalogue.assemble(
        [("egg", [metric("a.b_c", Unit.COUNT), metric("a.b.c", Unit.COUNT), metric("a.d", Unit.COUNT)])]
    )
    families = Families(catalogue)
    served = [families.of(key, Lane.GAUGE) for key in ("a.b.c", "a.b_c", "a.d")]
    assert [family and family.name for family in served] == ["routeros_a_b_c", None, "routeros_a_d"]
    assert "a.b_c isn't served" in caplog.text


def test_the_catalogue_has_names_that_prometheus_likes() -> None:
    families = [family_of(entry) for entry in PluginManager.load().catalogue]
    assert len({family.name for family in families}) == len(families) > 40
    for family in families:
        assert re.fullmatch(r"routeros_[a-z][a-z0-9_]*[a-z0-9]", family.name)
        assert not family.name.endswith(("_count", "_sum", "_bucket", "_created", "_info"))
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.label)
        assert (family.type is Type.COUNTER) == family.sample.endswith("_total")
