"""The size check refuses what is too long, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import check_sizes


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["check_sizes", *arguments])
    return check_sizes.main()


def lines(count: int) -> str:
    return "x = 1\n" * count


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (lines(500), False),
        (lines(501), True),
        ("def f():\n" + "    x = 1\n" * 59, False),
        ("def f():\n" + "    x = 1\n" * 60, True),
        ("class C:\n    async def f(self):\n" + "        x = 1\n" * 60, True),
        ("class C:\n" + "    x = 1\n" * 300, False),
    ],
)
def test_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, refused: bool) -> None:
    path = tmp_path / "module.py"
    path.write_text(text)
    assert run(monkeypatch, str(path)) == int(refused)


def test_aim_is_told_but_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "module.py"
    path.write_text("class C:\n" + "    x = 1\n" * 300)
    assert run(monkeypatch, "--aim", str(path)) == 0
    told = capsys.readouterr().out
    assert "file has 301 lines; aim 250" in told
    assert "class C has 301 lines; aim 200" in told


def test_generated_code_is_exempt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = Path("mtd/pb/big_pb2.py")
    monkeypatch.chdir(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(lines(600))
    assert run(monkeypatch, str(path)) == 0
