"""Documents generated from settings and metrics say what the code says."""

from __future__ import annotations

import enum
import socket
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from scripts import gen_docs


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    """Inside, on two
    lines.

    Not shown.
    """

    wait_s: float = Field(default=1.5, gt=0, le=60, description="Wait.")
    colour: Colour = Field(default=Colour.RED, description="A | B.")


class Outer(BaseModel):
    """All of it."""

    inner: Inner = Field(default_factory=Inner, description="Inner part.")
    name: str = Field(description="Name.")
    secret: SecretStr = Field(default=SecretStr(""), description="Secret.")
    file: Path | None = Field(default=None, description="File.")
    mode: Literal["fast", "safe"] = Field(default="safe", description="Mode.")
    host: str = Field(default_factory=socket.gethostname, description="Host.")
    days: tuple[int, ...] = Field(default=(1, 2), description="Days.")


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gen_docs, "load_settings", lambda: Outer)


def test_settings_page_tells_type_limits_default_and_meaning() -> None:
    page = gen_docs.settings_page()
    assert "## `[inner]`\n\nInside, on two lines.\n" in page
    assert "Not shown" not in page
    assert "| `wait_s` | number, > 0, ≤ 60 | `1.5` | Wait. |" in page
    assert '| `colour` | "red" or "blue" | `"red"` | A \\| B. |' in page
    assert "| `name` | text | must be set | Name. |" in page
    assert "| `file` | path | not set | File. |" in page
    assert "| `host` | text | not set | Host. |" in page
    assert '| `mode` | "fast" or "safe" | `"safe"` | Mode. |' in page
    assert "| `days` | list of integer | `[1, 2]` | Days. |" in page


def test_example_writes_defaults_as_comments() -> None:
    text = gen_docs.example_config()
    assert "## Inside, on two lines.\n[inner]\n" in text
    assert "## Wait.\n# wait_s = 1.5\n" in text
    assert "# file = ...\n" in text
    assert 'mode = "safe"' in text
    assert [line for line in text.splitlines() if line and not line.startswith(("#", "["))] == []


def test_top_level_values_come_before_sections() -> None:
    text = gen_docs.example_config()
    assert text.index("# name = ...") < text.index("[inner]")


def test_check_fails_on_a_stale_file_and_passes_after_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gen_docs, "ROOT", tmp_path)
    monkeypatch.setattr(gen_docs, "DOCUMENTS", {"docs/a.md": lambda: "new\n"})
    monkeypatch.setattr("sys.argv", ["gen_docs", "--check"])
    assert gen_docs.main() == 1
    assert not (tmp_path / "docs/a.md").exists()
    monkeypatch.setattr("sys.argv", ["gen_docs"])
    assert gen_docs.main() == 0
    monkeypatch.setattr("sys.argv", ["gen_docs", "--check"])
    assert gen_docs.main() == 0
    (tmp_path / "docs/a.md").write_text("old\n")
    assert gen_docs.main() == 1
    assert "-old" in capsys.readouterr().out
