"""Series go to the retention class that the configuration gives them, from the hours to come on."""

from __future__ import annotations

from mtd.storage.config import StorageConfig
from tests.integration.compaction.kit import LAYOUT, ask, cold, compact, declare, expected, polls, put
from tests.integration.compaction.naive import check_rollups

CLASSES = {
    "cpu": {"metrics": ["system.cpu.*"], "raw_days": 7},
    "others": {"tenants": ["nobody"], "raw_days": 1},
    "links": {"tenants": ["default"], "metrics": ["iface.rx_*"], "rollup_1m_days": 30},
}
FOUND = "SELECT DISTINCT s.metric, b.retention FROM {} b JOIN series s USING (series_id) ORDER BY 1"


def config(classes: object) -> StorageConfig:
    return StorageConfig.model_validate({"retention": {"classes": classes}})


def test_each_series_goes_to_its_class(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(100)
    put(postgres_dsn, frames[:60])
    assert not compact(postgres_dsn, config=config(CLASSES)).failed
    right = [
        ("iface.oper_state", "standard"),
        ("iface.rx_bytes_total", "links"),
        ("system.cpu.load_pct", "cpu"),
    ]
    for table in ("telemetry_block", "rollup_10s", "rollup_1m", "rollup_5m"):
        assert ask(postgres_dsn, FOUND.format(table)) == right
    assert ask(
        postgres_dsn, "SELECT DISTINCT tableoid::regclass::text FROM telemetry_block WHERE retention = 'cpu'"
    ) == [("telemetry_block_cpu_20260302",)]
    # The classes changed meanwhile: what late polls touch follows, and no point is there twice.
    put(postgres_dsn, frames[60:])
    assert not compact(postgres_dsn, config=config({})).failed
    assert {retention for _, retention in ask(postgres_dsn, FOUND.format("telemetry_block"))} == {"standard"}
    assert cold(postgres_dsn) == expected(frames)
    assert check_rollups(postgres_dsn, 3000) > 0
