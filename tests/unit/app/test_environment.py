"""The names of the environment that compose files use, and the template that lists them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtd.app.config import Settings
from mtd.core.config import ConfigInvalid, load_config
from mtd.core.errors import Misconfigured
from mtd.storage.dsn import parse_dsn

TEMPLATE = Path(__file__).parents[3] / "etc" / "mtd.env.example"


def test_names_of_other_programs_are_understood(tmp_path: Path) -> None:
    secret = tmp_path / "postgres"
    secret.write_text("p@ss w'rd\n")
    settings = load_config(
        Settings,
        None,
        {
            "DATABASE_URL": "postgresql://mtd@db:5432/mtd",
            "POSTGRES_PASSWORD_FILE": str(secret),
            "LOG_LEVEL": "WARNING",
            "INGEST_MAX_BODY_BYTES": "1000000",
            "PUBLIC_BASE_URL": "https://mtd.example.net",
        },
    )
    assert parse_dsn(settings.database.read_dsn()) == {
        "user": "mtd", "host": "db", "port": "5432", "dbname": "mtd", "password": "p@ss w'rd",
    }  # fmt: skip
    assert settings.log.level == "warning"
    assert settings.ingest.max_body_bytes == 1_000_000


def test_two_passwords_are_one_too_many(tmp_path: Path) -> None:
    secret = tmp_path / "postgres"
    secret.write_text("geheim")
    environment = {"DATABASE_URL": "postgresql://mtd:other@db/mtd", "POSTGRES_PASSWORD_FILE": str(secret)}
    with pytest.raises(Misconfigured, match="leave one of them away") as failed:
        load_config(Settings, None, environment).database.read_dsn()
    assert "other" not in str(failed.value)
    assert "geheim" not in str(failed.value)


def test_a_file_that_is_not_there_is_told_by_the_name_that_was_given() -> None:
    with pytest.raises(ConfigInvalid) as failed:
        load_config(Settings, None, {"DATABASE_URL": "host=db", "POSTGRES_PASSWORD_FILE": "/nonexistent"})
    assert "POSTGRES_PASSWORD_FILE" in str(failed.value)


def test_the_template_names_what_there_is() -> None:
    named = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", TEMPLATE.read_text(), re.MULTILINE)
    assert len(named) > 10
    for name in named:
        if not name.startswith("MTD__"):
            assert name in Settings.environment_names or name == "ENCRYPTION_MASTER_KEY_FILE", name
            continue
        model: object = Settings
        for key in name.removeprefix("MTD__").lower().split("__"):
            fields = getattr(model, "model_fields", None)
            assert fields is not None, name
            assert key in fields, name
            model = fields[key].annotation
