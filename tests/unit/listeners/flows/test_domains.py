"""Whose a domain of an address is: an id or a tenant's name tells it, a bare name only where there is one tenant."""

from __future__ import annotations

import pytest

from mtd.listeners.flows.config import ExporterConfig
from mtd.listeners.flows.domains import Domains
from tests.unit.listeners.kit import device

ADDRESS = "192.0.2.9"
OURS = device("core-1", "192.0.2.1", "a")
THEIRS = device("core-1", "192.0.2.2", "b")


def domains_of(**written: str) -> Domains:
    domains = {int(name.removeprefix("d")): text for name, text in written.items()}
    return Domains({ADDRESS: ExporterConfig(domains=domains), "192.0.2.10": ExporterConfig(sampling=1)})


def test_an_id_a_tenants_name_and_the_name_of_a_sole_tenant_tell_a_device() -> None:
    domains = domains_of(d1="id-core-1", d2="a/core-1", d3="core-1", d4="b/core-1", d5="core/2")
    slashed = device("core/2", "192.0.2.3", "a")
    domains.apply([OURS, slashed])
    assert [domains.find(ADDRESS, domain) for domain in range(1, 7)] == [
        *[(OURS,), [OURS], [OURS], (), [slashed]],
        None,
    ]
    assert domains.find("192.0.2.10", 1) is None
    assert domains.tenants == {ADDRESS: {1: "a", 2: "a", 3: "a", 4: "", 5: "a"}}
    assert domains.all_of(ADDRESS) == [OURS, OURS, OURS, slashed]
    assert not domains.all_of("192.0.2.10")


def test_a_bare_name_is_nobodys_among_tenants_and_that_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    domains = domains_of(d1="core-1", d2="a/core-1")
    domains.apply([OURS])
    assert not caplog.text
    for _ in range(2):
        domains.apply([OURS, THEIRS])
    assert (domains.find(ADDRESS, 1), domains.find(ADDRESS, 2)) == ([], [OURS])
    assert [record.message for record in caplog.records] == [
        "flows.exporters: 'core-1' in domains isn't used, as there are several tenants, each of which may have a device of "
        "that name: write the device's id, or tenant-id/name, such as a/core-1, b/core-1"
    ]


def test_a_name_does_not_become_anothers_when_its_tenant_has_no_device_any_more() -> None:
    domains = domains_of(d1="core-1", d2="a/core-1")
    domains.apply([OURS])
    domains.apply([THEIRS])
    assert (domains.find(ADDRESS, 1), domains.find(ADDRESS, 2)) == ([], [])
    domains.apply([device("a/core-1", "192.0.2.2", "b"), device("core-1", "192.0.2.3", "b")])
    assert domains.tenants == {ADDRESS: {1: "", 2: ""}}
