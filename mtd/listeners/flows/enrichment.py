"""What is known of addresses beside what exporters tell: AS and country by files, and which side of the network they are on.

Looked up when records come, so that what is kept says what was true then. Files are of MaxMind's format (GeoLite2, DB-IP,
IPinfo and others have them).
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import maxminddb
import numpy as np
from numpy.typing import NDArray

from mtd.core.errors import Misconfigured
from mtd.listeners.flows.config import EnrichmentConfig
from mtd.model.flows import TRAFFIC

logger = logging.getLogger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Columns = Mapping[str, NDArray[Any]]

_MOST_REMEMBERED = 200_000
_HALF = (1 << 64) - 1
_SIDES = ("src", "dst")
_OUTBOUND, _INBOUND, _INTERNAL, _TRANSIT = (
    TRAFFIC[name] for name in ("outbound", "inbound", "internal", "transit")
)


class GeoFile:
    """Numbers by addresses. ``read``: makes one of what the file says of an address; 0: nothing is known."""

    def __init__(self, path: Path, read: Callable[[Mapping[str, Any]], int]) -> None:
        """Raises Misconfigured if the file can't be used."""
        try:
            # Read as a whole: a file that is replaced while it is mapped would end the process.
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise Misconfigured(f"{path} can't be used for what is known of addresses: {error}") from error
        self._read = read
        self._known: dict[tuple[int, int], int] = {}
        self._with_ipv6 = self._reader.metadata().ip_version == 6

    def numbers(self, addresses: NDArray[Any]) -> NDArray[np.uint64]:
        """Return a number for each address."""
        different, which = np.unique(addresses, return_inverse=True)
        found = np.fromiter((self._number(one) for one in different.tolist()), np.uint64, len(different))
        return found[which]

    def _number(self, address: tuple[int, int]) -> int:
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            known = self._known[address] = self._look_up(address)
        return known

    def _look_up(self, halves: tuple[int, int]) -> int:
        wide = ipaddress.IPv6Address(halves[0] << 64 | halves[1])
        address = wide.ipv4_mapped or wide
        if address.version == 6 and not self._with_ipv6:
            return 0
        found = self._reader.get(address)
        return self._read(found) if isinstance(found, dict) else 0


def as_number(found: Mapping[str, Any]) -> int:
    """Return the AS of an entry: of MaxMind's and DB-IP's files, or of IPinfo's. 0 if it says none."""
    told = found.get("autonomous_system_number", found.get("asn"))
    if isinstance(told, str):
        told = int(digits) if (digits := told.upper().removeprefix("AS")).isdecimal() else 0
    return told if isinstance(told, int) and 0 < told < 1 << 32 else 0


def country(found: Mapping[str, Any]) -> int:
    """Return the country of an entry as the two letters of ISO 3166, as a number. 0 if it says none."""
    told = found.get("country", found.get("country_code"))
    if isinstance(told, dict):
        told = told.get("iso_code")
    if not isinstance(told, str) or len(told) != 2 or not (told.isascii() and told.isalpha()):
        return 0
    return int.from_bytes(told.upper().encode("ascii"), "big")


class Inside:
    """Addresses that are on our side."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = [_halves(network) for network in networks]

    def holds(self, addresses: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which addresses are inside."""
        found = np.zeros(len(addresses), np.bool_)
        high, low = addresses["high"], addresses["low"]
        for (high_mask, low_mask), (high_value, low_value) in self._networks:
            found |= ((high & high_mask) == high_value) & ((low & low_mask) == low_value)
        return found


def _halves(network: Network) -> tuple[tuple[np.uint64, np.uint64], tuple[np.uint64, np.uint64]]:
    """Return the mask and the address of a network as halves of 128 bits, IPv4 mapped into IPv6."""
    mask, address = int(network.netmask), int(network.network_address)
    if network.version == 4:
        mask |= ((1 << 96) - 1) << 32
        address |= 0xFFFF << 32
    return _pair(mask), _pair(address)


def _pair(number: int) -> tuple[np.uint64, np.uint64]:
    return np.uint64(number >> 64), np.uint64(number & _HALF)


class Enrichment:
    """Adds columns: ``src_as`` and ``dst_as`` where the exporter tells none, ``src_country``, ``dst_country``, ``traffic``."""

    def __init__(
        self, as_file: GeoFile | None, country_file: GeoFile | None, networks: Sequence[Network]
    ) -> None:
        self._as_file = as_file
        self._country_file = country_file
        self._inside = Inside(networks) if networks else None

    def added(self, columns: Columns) -> dict[str, NDArray[Any]]:
        """Return the columns to add to those of some records, or to replace them."""
        found: dict[str, NDArray[Any]] = {}
        for side in _SIDES:
            addresses = columns.get(f"{side}_address")
            if addresses is None:
                continue
            if self._as_file is not None:
                found[f"{side}_as"] = _completed(columns.get(f"{side}_as"), self._as_file.numbers(addresses))
            if self._country_file is not None:
                found[f"{side}_country"] = self._country_file.numbers(addresses).astype(np.uint16)
        if self._inside is not None and {"src_address", "dst_address"} <= columns.keys():
            found["traffic"] = self._traffic(columns)
        return found

    def _traffic(self, columns: Columns) -> NDArray[np.uint8]:
        assert self._inside is not None
        from_us, to_us = (self._inside.holds(columns[f"{side}_address"]) for side in _SIDES)
        by_source = np.where(from_us, _OUTBOUND, _TRANSIT)
        return np.where(to_us, np.where(from_us, _INTERNAL, _INBOUND), by_source).astype(np.uint8)


def _completed(told: NDArray[Any] | None, known: NDArray[np.uint64]) -> NDArray[np.uint32]:
    if told is None:
        return known.astype(np.uint32)
    return np.where(told > 0, told, known).astype(np.uint32)


class Enrichments:
    """What each tenant's records are enriched with. Files that were replaced are read again by ``refresh``."""

    def __init__(self, config: EnrichmentConfig) -> None:
        """Raises Misconfigured if a file can't be used."""
        self._config = config
        self._stamps = self._look()
        self._made = self._make()

    def of(self, tenant_id: str) -> Enrichment | None:
        """Return what is known for a tenant; None if nothing is."""
        return self._made.get(tenant_id, self._made[""])

    def refresh(self) -> None:
        """Read files again if they are others than before. One that can't be used is told, and the old one stays."""
        stamps = self._look()
        if stamps == self._stamps:
            return
        self._stamps = stamps
        try:
            self._made = self._make()
        except Misconfigured as error:
            logger.warning("%s; what was known before stays", error)

    def _look(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._config.as_file, self._config.country_file))

    def _make(self) -> dict[str, Enrichment | None]:
        config = self._config
        as_file = None if config.as_file is None else GeoFile(config.as_file, as_number)
        country_file = None if config.country_file is None else GeoFile(config.country_file, country)
        made: dict[str, Enrichment | None] = {}
        for tenant, texts in {"": config.internal, **config.internal_of}.items():
            networks = [ipaddress.ip_network(text) for text in texts]
            needed = networks or as_file is not None or country_file is not None
            made[tenant] = Enrichment(as_file, country_file, networks) if needed else None
        return made


def _stamp(path: Path | None) -> tuple[int, int] | None:
    try:
        return None if path is None else ((found := path.stat()).st_mtime_ns, found.st_size)
    except OSError:
        return None
