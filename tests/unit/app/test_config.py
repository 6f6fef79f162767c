"""What sections of the configuration say of each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mtd.app.config import RoleName, Settings
from mtd.core.config import load_config


def test_a_tenant_never_has_more_queries_at_a_time_than_there_are_connections() -> None:
    usual = Settings()
    assert usual.queries.max_concurrent < usual.database.query_pool_size, "another tenant finds one free"
    small = Settings.model_validate({"database": {"query_pool_size": 1}})
    assert small.queries.max_concurrent == 1
    with pytest.raises(ValidationError, match="max_concurrent is 8, but database.query_pool_size is 3"):
        Settings.model_validate({"queries": {"max_concurrent": 8}})
    Settings.model_validate({"queries": {"max_concurrent": 8}, "database": {"query_pool_size": 8}})


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        ("database", {"query_pool_size": 7}),
        ("grpc", {"port": 1234}),
        ("console", {"enabled": False}),
        ("login", {"mode": "oidc"}),
    ],
)
def test_a_collector_has_nothing_of_a_hub(section: str, settings: dict[str, object]) -> None:
    oidc = {"oidc": {"issuer": "https://id.example", "client_id": "mtd"}} if section == "login" else {}
    with pytest.raises(ValidationError, match=rf"no database and serves no callers: remove \[{section}"):
        Settings.model_validate({"daemon": {"role": "collector"}, section: settings, **oidc})
    # What the example has, with all as it is by default, may stay.
    Settings.model_validate({"daemon": {"role": "collector"}, section: {}})


def test_a_collector_has_no_ca_of_its_own() -> None:
    with pytest.raises(ValidationError, match="a collector has no CA of its own"):
        Settings.model_validate({"daemon": {"role": "collector"}, "http": {"tls": {"mode": "internal"}}})


def test_what_is_for_collectors_means_nothing_elsewhere() -> None:
    with pytest.raises(ValidationError, match=r"\[forward\] is for collectors, but daemon.role is hub"):
        Settings.model_validate({"daemon": {"role": "hub"}, "forward": {"compress": True}})
    Settings.model_validate({"daemon": {"role": "collector"}, "forward": {"compress": True}})


def test_the_example_of_a_collector_is_good() -> None:
    example = Path(__file__).parents[3] / "etc" / "mtd-collector.toml"
    settings = load_config(Settings, example, environment={})
    assert settings.daemon.role is RoleName.COLLECTOR
    usual = Settings()
    assert settings.event_log.max_bytes == usual.event_log.max_bytes
    assert settings.forward.backfill_bytes_per_s == usual.forward.backfill_bytes_per_s
    assert settings.http.port == usual.http.port
