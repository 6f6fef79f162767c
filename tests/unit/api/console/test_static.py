from __future__ import annotations

import os
from pathlib import Path

from mtd.api.console.static import INDEX, Assets


def built(folder: Path, text: str, at_s: int) -> Path:
    folder.mkdir()
    (folder / INDEX).write_text(text)
    os.utime(folder / INDEX, (at_s, at_s))
    return folder


def shown(assets: Assets) -> bytes | None:
    assets.refresh()
    asset = assets.get(INDEX)
    return None if asset is None else asset.body


def test_files_stay_while_a_build_moves_new_ones_in(tmp_path: Path) -> None:
    """As scripts/build_console.mjs does it: the old folder aside, the new one in its place."""
    dist = tmp_path / "dist"
    assets = Assets(dist)
    assert shown(assets) is None
    built(dist, "one", 1)
    assert shown(assets) == b"one"
    fresh = built(tmp_path / "dist.new", "two", 2)
    dist.rename(tmp_path / "dist.old")
    assert shown(assets) == b"one"
    fresh.rename(dist)
    assert shown(assets) == b"two"
