"""What is known of addresses: by files that others make, and by networks that operators name."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from numpy.typing import NDArray

from mtd.codec.flows import ADDRESS
from mtd.core.errors import Misconfigured
from mtd.listeners.flows.config import EnrichmentConfig
from mtd.listeners.flows.enrichment import Enrichments, Inside
from mtd.model.flows import DIMENSIONS, TRAFFIC, address_key

AS_NUMBERS = {
    "192.0.2.0/24": {"autonomous_system_number": 64496},
    "198.51.100.0/24": {"asn": "AS64497"},
    "203.0.113.0/24": {"asn": "none"},
    "2001:db8::/32": {"autonomous_system_number": 64498},
}
COUNTRIES = {
    "192.0.2.0/24": {"country": {"iso_code": "DE"}},
    "198.51.100.0/24": {"country": "us"},
    "203.0.113.0/24": {"country": {"names": {"en": "Nowhere"}}},
}


def file_of(path: Path, entries: Mapping[str, Mapping[str, Any]]) -> Path:
    writer = MMDBWriter(6, "Test", ipv4_compatible=True)
    for network, entry in entries.items():
        writer.insert_network(IPSet([network]), entry)
    writer.to_db_file(str(path))
    return path


def addresses(*texts: str) -> NDArray[Any]:
    return (
        np.frombuffer(b"".join(map(address_key, texts)), ">u8")
        .reshape(-1, 2)
        .astype(np.uint64)
        .view(ADDRESS)[:, 0]
    )


def test_as_and_country_come_from_files(tmp_path: Path) -> None:
    config = EnrichmentConfig(
        as_file=file_of(tmp_path / "as.mmdb", AS_NUMBERS),
        country_file=file_of(tmp_path / "c.mmdb", COUNTRIES),
    )
    enrichment = Enrichments(config).of("t")
    assert enrichment is not None
    src = addresses("192.0.2.1", "198.51.100.7", "203.0.113.1", "2001:db8::1", "10.0.0.1")
    found = enrichment.added({"src_address": src, "dst_address": src[::-1]})
    assert list(found["src_as"]) == [64496, 64497, 0, 64498, 0]
    assert list(found["dst_as"]) == [0, 64498, 0, 64497, 64496]
    texts = [DIMENSIONS["src_country"].text(int(one).to_bytes(2, "big")) for one in found["src_country"]]
    assert texts == ["DE", "US", "", "", ""]
    assert "traffic" not in found, "nobody says what is ours"


def test_what_an_exporter_tells_counts_more(tmp_path: Path) -> None:
    config = EnrichmentConfig(as_file=file_of(tmp_path / "as.mmdb", AS_NUMBERS))
    enrichment = Enrichments(config).of("t")
    assert enrichment is not None
    told = np.array([65000, 0], np.uint16)
    found = enrichment.added({"src_address": addresses("192.0.2.1", "192.0.2.2"), "src_as": told})
    assert list(found["src_as"]) == [65000, 64496]
    assert set(found) == {"src_as"}, "there is no other address"


def test_sides_are_a_tenants_own() -> None:
    config = EnrichmentConfig(
        internal=["10.0.0.0/8", "2001:db8::/32"], internal_of={"other": ["192.0.2.0/24"]}
    )
    columns = {
        "src_address": addresses("10.1.1.1", "192.0.2.1", "10.0.0.1", "192.0.2.1"),
        "dst_address": addresses("192.0.2.1", "2001:db8::5", "10.0.0.2", "198.51.100.1"),
    }
    enrichments = Enrichments(config)
    ours, theirs = enrichments.of("t"), enrichments.of("other")
    assert ours is not None
    assert theirs is not None
    names = {number: name for name, number in TRAFFIC.items()}
    assert [names[one] for one in ours.added(columns)["traffic"]] == [
        "outbound",
        "inbound",
        "internal",
        "transit",
    ]
    assert [names[one] for one in theirs.added(columns)["traffic"]] == [
        "inbound",
        "outbound",
        "transit",
        "outbound",
    ]


def test_without_anything_to_add_nothing_is_done() -> None:
    assert Enrichments(EnrichmentConfig()).of("t") is None


@given(
    networks=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=6),
    hosts=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20),
    near=st.booleans(),
)
def test_inside_is_what_the_standard_library_says(
    networks: list[tuple[int, int]], hosts: list[int], near: bool
) -> None:
    made = [ipaddress.ip_network((address, length), strict=False) for address, length in networks]
    if near and networks:
        hosts = [networks[0][0] ^ (host & 0xFFFF) for host in hosts]
    texts = [str(ipaddress.IPv4Address(host)) for host in hosts]
    found = Inside(made).holds(addresses(*texts))
    assert list(found) == [any(ipaddress.ip_address(text) in one for one in made) for text in texts]


def test_a_file_that_is_replaced_is_read_again_and_a_bad_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = file_of(tmp_path / "as.mmdb", AS_NUMBERS)
    enrichments = Enrichments(EnrichmentConfig(as_file=path))

    def number() -> int:
        enrichments.refresh()
        enrichment = enrichments.of("t")
        assert enrichment is not None
        return int(enrichment.added({"src_address": addresses("192.0.2.1")})["src_as"][0])

    assert number() == 64496
    fresh = file_of(
        tmp_path / "new.mmdb",
        {"192.0.2.0/24": {"autonomous_system_number": 64499}, "10.0.0.0/8": {"asn": "AS1"}},
    )
    fresh.replace(path)
    assert number() == 64499
    path.write_bytes(b"not a database")
    os.utime(path)
    assert number() == 64499
    assert "can't be used" in caplog.text


@pytest.mark.parametrize("setting", ["as_file", "country_file"])
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, setting: str) -> None:
    (tmp_path / "bad.mmdb").write_bytes(b"nothing")
    for name in ("bad.mmdb", "missing.mmdb"):
        with pytest.raises(Misconfigured, match=name):
            Enrichments(EnrichmentConfig.model_validate({setting: tmp_path / name}))


@pytest.mark.parametrize("networks", [["10.0.0.1/8"], ["nonsense"], ["10.0.0.0/33"]])
def test_what_is_no_network_is_refused(networks: list[str]) -> None:
    with pytest.raises(ValueError, match="no network"):
        EnrichmentConfig(internal=networks)
