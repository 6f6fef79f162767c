"""The reference of the protocol says what the protocol says, and a change that breaks callers is found."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mtd.api.grpc.server import DESCRIPTORS
from scripts import api_docs

ROOT = Path(__file__).resolve().parents[3]
BUF = ROOT / ".venv/bin/buf"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return api_docs.pages()


def test_every_method_and_message_is_there(pages: dict[str, str]) -> None:
    index = pages["docs/api/README.md"]
    for service in DESCRIPTORS:
        package = service.file.package.removeprefix("mtd.pb.")
        page = pages[f"docs/api/{package}.md"]
        for method in service.methods:
            assert f"[{service.name}/{method.name}](" in index
            assert f"### {service.name}.{method.name}\n" in page
            assert f"### {method.input_type.name}\n" in page
        for name in service.file.message_types_by_name:
            assert f"### {name}\n" in page


def test_a_method_says_who_may_call_it(pages: dict[str, str]) -> None:
    rows = [row for row in pages["docs/api/README.md"].splitlines() if "/CreateDevice]" in row]
    assert rows == [
        "| [InventoryService/CreateDevice](inventory.v1.md#inventoryservicecreatedevice) | one | one | admin |"
        " `inventory.write` | yes |  |"
    ]


def test_fields_have_their_types_and_comments(pages: dict[str, str]) -> None:
    page = pages["docs/api/inventory.v1.md"]
    assert "| `labels` = 13 | map of string to string | Free labels:" in page
    assert "| `ways` = 21 | repeated [Way](common.v1.md#way) |" in page
    assert "| `password` = 4 | optional string |" in page
    assert "**Secret.** |" in page
    assert "| `device` = 1 | string | One of `target`. " in page
    assert "| `TLS_MODE_OFF` = 1 | Clear text (port 8728). |" in pages["docs/api/common.v1.md"]


@pytest.mark.skipif(not BUF.exists(), reason="buf is in the extra `dev`")
@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("  string username = 6;\n", "", "username"),
        ("uint32 port = 3;", "string port = 3;", "port"),
        ("rpc GetDevice(", "rpc ReadDevice(", "GetDevice"),
        ("// How a device is reached and polled.", "// The same.", ""),
    ],
)
def test_what_breaks_callers_is_found(tmp_path: Path, before: str, after: str, told: str) -> None:
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    file = tmp_path / "proto/mtd/pb/inventory/v1/inventory_service.proto"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    found = subprocess.run(
        [BUF, "breaking", "--against", "proto/baseline.binpb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (found.returncode != 0) is bool(told), found.stdout + found.stderr
    assert told in found.stdout
