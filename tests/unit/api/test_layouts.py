from __future__ import annotations

from mtd.api.grpc.layouts import LayoutBook, scope_and_unit
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.pb.telemetry.v1.telemetry_service_pb2 import LatestUpdate
from tests.unit.api.fakes import CATALOGUE, LAYOUT, OTHER_TENANT, TENANT


def numbered_layout(number: int) -> Layout:
    return Layout.of("t0", (Series("iface.rx_bps", f"*{number}", Lane.RATE),))


def test_layouts_in_use_stay_and_the_unused_leave_in_order() -> None:
    book = LayoutBook(2, CATALOGUE.metrics)
    used = book.declare(TENANT, numbered_layout(0))
    book.acquire(used)
    others = [book.declare(TENANT, numbered_layout(number)) for number in (1, 2, 3)]
    assert book.get(TENANT, used.layout.layout_id) is used
    assert [book.get(*known.key) is not None for known in others] == [False, True, True]
    book.release(used)
    assert book.get(*others[1].key) is None
    assert book.get(*used.key) is used


def test_a_layout_is_shared_within_a_tenant_and_never_beyond() -> None:
    book = LayoutBook(10, CATALOGUE.metrics)
    mine = book.declare(TENANT, LAYOUT)
    assert book.declare(TENANT, LAYOUT) is mine
    assert book.get(OTHER_TENANT, LAYOUT.layout_id) is None
    assert book.declare(OTHER_TENANT, LAYOUT) is not mine


def test_acquiring_a_forgotten_layout_brings_it_back() -> None:
    book = LayoutBook(1, CATALOGUE.metrics)
    first = book.declare(TENANT, numbered_layout(1))
    book.declare(TENANT, numbered_layout(2))
    assert book.get(*first.key) is None
    book.acquire(first)
    assert book.get(*first.key) is first


def test_fits_counts_each_lane() -> None:
    known = LayoutBook(1, CATALOGUE.metrics).declare(TENANT, LAYOUT)
    good = LatestUpdate(counters=[1] * 4, gauges=[1.0] * 3, rates=[1.0] * 2)
    assert known.fits(good)
    good.counters_present = b"\x0f"
    assert known.fits(good)
    good.counters_present = b"\x0f\x00"
    assert not known.fits(good)
    assert not known.fits(LatestUpdate(counters=[1] * 5, gauges=[1.0] * 3, rates=[1.0] * 2))
    assert not known.fits(LatestUpdate(counters=[1] * 4, gauges=[1.0] * 3))


def test_scope_of_a_metric_whose_egg_is_gone_is_guessed() -> None:
    assert scope_and_unit("iface.rx_bps", "*1", CATALOGUE.metrics) == ("iface", "bits_per_second")
    assert scope_and_unit("ups.battery.level", "*1", CATALOGUE.metrics) == ("ups", "")
    assert scope_and_unit("ups.load", "", CATALOGUE.metrics) == ("", "")
