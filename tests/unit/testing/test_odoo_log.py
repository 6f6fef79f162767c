"""How the tests with Odoo read its logs."""

from __future__ import annotations

from pathlib import Path

from mtd.testing.odoo.log import OdooLog, records_of

LOG = """\
Running as user 'root' is a security risk.
2026-01-02 03:04:05,678 12 INFO shop odoo.modules.loading: 1 modules loaded
2026-01-02 03:04:06,000 12 WARNING shop odoo.models: no access rules
2026-01-02 03:04:07,000 12 ERROR ? odoo.addons.bus: it failed
Traceback (most recent call last):
ValueError: why
2026-01-02 03:04:08,000 12 INFO shop odoo.modules: WARNING is only said here
"""


def test_records_have_all_their_lines() -> None:
    records = list(records_of(LOG))
    assert [record.level for record in records] == ["INFO", "WARNING", "ERROR", "INFO"]
    assert records[2].text == "it failed\nTraceback (most recent call last):\nValueError: why"
    assert records[2].database == "?"


def test_complaints_are_warnings_and_errors_but_those_expected(tmp_path: Path) -> None:
    path = tmp_path / "odoo.log"
    path.write_text(LOG)
    log = OdooLog(path)
    assert [record.logger for record in log.complaints()] == ["odoo.models", "odoo.addons.bus"]
    assert log.complaints(r"WARNING odoo\.models: no access", r"ERROR .*ValueError: why$") == []
    assert len(log.complaints(r"ERROR odoo\.models")) == 2


def test_what_was_before_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "odoo.log"
    log = OdooLog(path)
    assert log.complaints() == [], "nothing was written yet"
    log.go_on()
    path.write_text(LOG)
    log.go_on()
    assert log.complaints() == []
    with path.open("a") as file:
        file.write("2026-01-02 03:04:09,000 12 ERROR shop odoo.http: again\n")
    assert [record.text for record in log.complaints()] == ["again"]
