from __future__ import annotations

import json

from pydantic import SecretStr

from mtd.compaction.service import worker_settings
from mtd.storage.config import StorageConfig


def test_a_worker_takes_the_settings_of_a_postgresql_with_a_login_for_doors() -> None:
    config = StorageConfig(
        dsn=SecretStr("host=h password=secret-1"), door_dsn=SecretStr("host=h password=secret-2"), pool_size=7
    )
    told = json.dumps(worker_settings(config))
    assert "secret" not in told
    assert StorageConfig.model_validate(json.loads(told)).pool_size == 7
