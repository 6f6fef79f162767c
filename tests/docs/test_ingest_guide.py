"""The guide to sending says what the code does: its examples are read, and every reason stands in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mtd.api.http.bodies import BATCH, KEY_HEADER
from mtd.api.http.ingest_pages import HEARTBEAT, NONCE_HEADER, TIME_HEADER
from mtd.api.http.shown import SIGNATURE_HEADER
from mtd.app.config import Settings
from mtd.core.config import load_config
from mtd.ingest.config import IngestConfig
from mtd.ingest.push.payload import read_payload

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/ingest.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def test_ingest_guide_shows_a_batch_that_is_read() -> None:
    shown = [json.loads(block) for block in blocks("json")]
    (batch,) = [one for one in shown if "samples" in one]
    push = IngestConfig().push
    found = read_payload(json.dumps(batch).encode(), push.max_values, push.max_events)
    assert (len(found.samples), len(found.events), found.problems, found.warnings) == (1, 1, [], [])
    assert found.samples[0].metrics["iface.ether1.rx_bytes_total"] == 2**53 + 1


def test_ingest_guide_names_each_reason_for_which_a_row_is_refused() -> None:
    sources = [ROOT / "mtd/ingest/push" / name for name in ("check.py", "payload.py", "rows.py")]
    sources.append(ROOT / "mtd/api/grpc/ingest.py")
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    reasons = set(re.findall(r'(?:_Bad|Malformed)\(\s*"(\w+)"', text))
    assert len(reasons) > 15
    assert {reason for reason in reasons if f"`{reason}`" not in GUIDE} == set()


def test_ingest_guide_has_the_figures_and_names_of_the_code() -> None:
    config = IngestConfig()
    for figure in (
        f"{config.max_body_bytes:,}",
        f"{config.push.max_values:,}",
        f"{config.push.max_events:,}",
    ):
        assert figure in GUIDE
    for name in (BATCH, HEARTBEAT, KEY_HEADER, TIME_HEADER, NONCE_HEADER, SIGNATURE_HEADER):
        assert name.lower() in GUIDE.lower()
    for block in blocks("python"):
        compile(block, "docs/ingest.md", "exec")


def test_ingest_bound_of_bodies_may_come_from_the_environment() -> None:
    assert "INGEST_MAX_BODY_BYTES" in GUIDE
    assert load_config(Settings, None, {}).ingest.max_body_bytes == 10_485_760
    assert load_config(Settings, None, {"INGEST_MAX_BODY_BYTES": "2048"}).ingest.max_body_bytes == 2048
