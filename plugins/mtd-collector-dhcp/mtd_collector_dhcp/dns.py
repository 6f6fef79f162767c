"""The router as a resolver: its cache, and what it answers by itself."""

from __future__ import annotations

from mtd.model.metric import Tier, Unit
from mtd.plugin import Gauge, Menu, TableKind, columns


def _cache(field: str, key: str, description: str) -> Gauge:
    # Told in KiB, by newer versions with the unit behind it.
    return Gauge(
        field=field,
        key=key,
        unit=Unit.BYTES,
        description=description,
        since="1",
        suffix="KiB",
        scale=1024.0,
        expected_min=0.0,
    )


def _count(name: str, path: str, key: str, tier: Tier, description: str, *queries: str) -> Menu:
    return Menu(
        name=name,
        path=path,
        kind=TableKind.COUNT_ONLY,
        tier=tier,
        queries=queries,
        fields=(
            Gauge(
                field="count",
                key=key,
                unit=Unit.COUNT,
                description=description,
                since="1",
                expected_min=0.0,
            ),
        ),
    )


DNS = (
    Menu(
        name="dns",
        path="/ip/dns",
        kind=TableKind.METRICS,
        tier=Tier.T2,
        max_rows=10,
        max_bytes=65_536,
        fields=(
            _cache("cache-used", "dns.cache_used_bytes", "Memory that the DNS cache uses."),
            _cache("cache-size", "dns.cache_size_bytes", "Memory that the DNS cache may use."),
        ),
    ),
    _count("dns-cache", "/ip/dns/cache", "dns.cache_entries", Tier.T2, "Entries of the DNS cache."),
    _count(
        "dns-static",
        "/ip/dns/static",
        "dns.static_entries",
        Tier.T3,
        "Names that somebody configured.",
        "dynamic=true",
        "#!",
    ),
    Menu(
        name="snapshot-dns",
        path="/ip/dns",
        kind=TableKind.SNAPSHOT,
        tier=Tier.T3,
        table="dns.settings",
        max_rows=10,
        max_bytes=65_536,
        fields=columns(
            "servers",
            "dynamic-servers",
            "use-doh-server",
            "verify-doh-cert",
            "allow-remote-requests",
            "max-udp-packet-size",
            "query-server-timeout",
            "query-total-timeout",
            "max-concurrent-queries",
            "max-concurrent-tcp-sessions",
            "cache-size",
            "cache-max-ttl",
            "vrf",
        ),
    ),
)
