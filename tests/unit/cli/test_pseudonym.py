"""``mtd pseudonym`` says what a subscriber is called."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.unit.cli.conftest import Commands

OTHER_TENANT = "5e3a0cb4-0000-4000-8000-000000000002"


def config(tmp_path: Path, text: str = "") -> str:
    key = tmp_path / "master.key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(base64.b64encode(bytes(range(32))).decode() + "\n")
    path = tmp_path / "mtd.toml"
    path.write_text(
        f'[daemon]\ndata_dir = "{tmp_path / "data"}"\n[security]\nmaster_key_file = "{key}"\n{text}'
    )
    return str(path)


def test_a_subscriber_can_be_looked_up(mtd: Commands, tmp_path: Path) -> None:
    asked = ("pseudonym", "-c", config(tmp_path), "john.smith@isp.example")
    assert "~bqztiz7bl2zbnod3" in mtd(*asked).output
    assert "kept" not in mtd(*asked).output
    assert json.loads(mtd(*asked, "joe", "--json").output)["john.smith@isp.example"] == "~bqztiz7bl2zbnod3"
    assert "~bqztiz7bl2zbnod3" not in mtd(*asked, "--tenant", OTHER_TENANT).output


def test_who_looked_somebody_up_is_written_down(mtd: Commands, tmp_path: Path) -> None:
    """The database doesn't run: it goes into the data folder, from where the daemon takes it."""
    mtd("pseudonym", "-c", config(tmp_path), "john.smith@isp.example")
    (segment,) = (tmp_path / "data" / "audit-spool").iterdir()
    written = segment.read_text()
    assert json.loads(written)["entry"]["detail"]["pseudonyms"] == "~bqztiz7bl2zbnod3"
    assert "smith" not in written


def test_what_can_not_be_written_down_is_not_done(mtd: Commands, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    answer = mtd("pseudonym", "-c", config(tmp_path), "joe", code=1)
    assert "isn't done" in answer.output
    assert "~" not in answer.output


def test_where_names_are_kept_it_says_so(mtd: Commands, tmp_path: Path) -> None:
    path = config(tmp_path, '[privacy]\nsubscribers = "kept"\n')
    assert "kept as they are" in mtd("pseudonym", "-c", path, "joe").output
    path = config(tmp_path, f'[privacy.tenants]\n"{OTHER_TENANT}" = "kept"\n')
    assert "kept" not in mtd("pseudonym", "-c", path, "joe").output
    assert "kept" in mtd("pseudonym", "-c", path, "--tenant", OTHER_TENANT, "joe").output


def test_without_the_key_nothing_is_made(mtd: Commands, tmp_path: Path) -> None:
    (tmp_path / "mtd.toml").write_text(f'[daemon]\ndata_dir = "{tmp_path / "data"}"\n')
    answer = mtd("pseudonym", "-c", str(tmp_path / "mtd.toml"), "joe", code=1)
    assert "restore it from the backup" in answer.output
    assert not (tmp_path / "data").exists()
