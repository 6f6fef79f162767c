"""The documents name what exists, and the generated ones are fresh."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from mtd.app.config import Settings
from mtd.cli import main as program
from mtd.core.config import load_config
from scripts import api_docs, gen_docs

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "plugins/**/*.md")
    for path in ROOT.glob(pattern)
    if ".venv" not in path.parts
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
STEP = re.compile(r"^(\d+)\. .*?(?=^\d+\. |^## |\Z)", re.MULTILINE | re.DOTALL)
SAMPLE = (ROOT / "docs/00-life-of-a-sample.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = [target for target in LINK.findall(path.read_text(encoding="utf-8")) if "://" not in target]
    missing = [target for target in targets if not (path.parent / target).exists()]
    assert not missing


ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The names of a document's headings, as GitHub makes them."""
    headings = HEADING.findall(path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_anchors_of_links_are_headings(path: Path) -> None:
    links = [link for link in ANCHOR.findall(path.read_text(encoding="utf-8")) if "://" not in link[0]]
    missing = [
        f"{target}#{name}"
        for target, name in links
        if (path.parent / target if target else path).suffix == ".md"
        and name not in anchors(path.parent / target if target else path)
    ]
    assert not missing


def test_each_step_of_a_sample_names_one_file_to_open() -> None:
    steps = list(STEP.finditer(SAMPLE))
    assert [int(step.group(1)) for step in steps] == list(range(1, len(steps) + 1))
    assert len(steps) >= 10
    for step in steps:
        opened = re.findall(r"Open `([^`]+)`", step.group(0))
        assert len(opened) == 1, f"step {step.group(1)} names {opened}"
        assert (ROOT / opened[0]).is_file(), f"step {step.group(1)}: {opened[0]} doesn't exist"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_in_backticks_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"`((?:mtd|docs|etc|scripts|tests|proto|plugins)/[\w./-]+)`", text)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


@pytest.mark.parametrize("name", gen_docs.DOCUMENTS)
def test_generated_documents_are_fresh(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gen_docs.forget_environment(monkeypatch.delenv)
    text = gen_docs.DOCUMENTS[name]()
    assert (ROOT / name).read_text(encoding="utf-8") == text, "run `make docs`"


def test_the_reference_of_the_protocol_is_fresh() -> None:
    pages = api_docs.pages()
    stale = [
        name
        for name, text in pages.items()
        if not (ROOT / name).exists() or (ROOT / name).read_text() != text
    ]
    assert not stale, "run `make docs`"
    assert gen_docs.leftovers(pages) == []


def test_example_configuration_holds_the_defaults(tmp_path: Path) -> None:
    example = ROOT / "etc/mtd.toml"
    assert load_config(Settings, example, {}) == load_config(Settings, None, {})

    text = re.sub(r"^# (\w+ = )(?!\.\.\.$)", r"\1", example.read_text(encoding="utf-8"), flags=re.MULTILINE)
    switched_on = tmp_path / "mtd.toml"
    switched_on.write_text(text, encoding="utf-8")
    assert sum(len(section) for section in tomllib.loads(text).values() if isinstance(section, dict)) > 20
    assert load_config(Settings, switched_on, {}) == load_config(Settings, None, {})


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_documents_exist(path: Path) -> None:
    known = {name for name, _ in gen_docs.commands(program, "mtd")}
    blocks = re.findall(r"^```sh\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for line in "".join(blocks).splitlines():
        if not line.startswith("mtd "):
            continue
        words = re.match(r"mtd((?: [a-z][a-z-]*)*)", line)
        assert words is not None
        name = f"mtd{words.group(1)}"
        assert any(name == command or name.startswith(f"{command} ") for command in known - {"mtd"}), line


def test_index_lists_every_decision() -> None:
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    pages = [path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")]
    assert pages
    assert [name for name in pages if f"({name})" not in index] == []


def test_two_commands_of_the_readme_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("scripts/demo", "scripts/test"):
        assert command in text
        assert (ROOT / command).stat().st_mode & 0o111, f"{command} can't be run"
