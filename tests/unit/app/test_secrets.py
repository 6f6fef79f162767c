"""Where master keys come from, and what is told when a secret can't be had."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from mtd.app.config import Settings
from mtd.app.secrets import master_keys, trouble_event
from mtd.core.errors import Misconfigured
from mtd.model.device import Severity
from mtd.security.errors import KeyUnusable
from mtd.security.keyfile import new_key_line


def settings_in(folder: Path, **security: object) -> Settings:
    return Settings.model_validate({"daemon": {"data_dir": str(folder)}, "security": security})


def test_a_file_in_the_data_folder_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENCRYPTION_MASTER_KEY_FILE", raising=False)
    assert master_keys(settings_in(tmp_path), may_make=True, environment={}).path == tmp_path / "master.key"
    monkeypatch.setenv("ENCRYPTION_MASTER_KEY_FILE", str(tmp_path / "named"))
    assert master_keys(settings_in(tmp_path), may_make=True, environment={}).path == tmp_path / "named"
    configured = settings_in(tmp_path, master_key_file=str(tmp_path / "configured"))
    assert master_keys(configured, may_make=True, environment={}).path == tmp_path / "configured"
    with pytest.raises(KeyUnusable, match="is missing"):
        master_keys(
            settings_in(tmp_path, master_key_file=str(tmp_path / "x")), may_make=False, environment={}
        )


def test_the_environment_may_hold_it_alone(tmp_path: Path) -> None:
    line = new_key_line()
    environment = {"MTD_MASTER_KEY": line}
    found = master_keys(settings_in(tmp_path), may_make=False, environment=environment)
    assert found.newest.material == base64.b64decode(line)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Misconfigured, match="leave one of them away"):
        master_keys(
            settings_in(tmp_path),
            may_make=False,
            environment={**environment, "ENCRYPTION_MASTER_KEY_FILE": str(tmp_path / "named")},
        )
    with pytest.raises(Misconfigured, match="leave one of them away"):
        master_keys(
            settings_in(tmp_path, master_key_file=str(tmp_path / "named")),
            may_make=False,
            environment=environment,
        )


def test_trouble_comes_and_goes() -> None:
    came, went = trouble_event("vault:a#b", "vault:a#b: sealed"), trouble_event("vault:a#b", "")
    assert (came.event_type, came.severity, came.new) == (
        "secret.unavailable",
        Severity.WARNING,
        "unavailable",
    )
    assert (went.event_type, went.severity, went.new) == ("secret.available", Severity.INFO, "available")
    assert "goes on being used" in came.message
