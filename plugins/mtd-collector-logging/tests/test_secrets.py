"""What is never read: a script may hold passwords, and a target of the log may be one."""

from __future__ import annotations

from mtd_collector_logging.declaration import COLLECTOR


def test_the_text_of_scripts_is_not_read() -> None:
    assert not {name for menu in COLLECTOR.menus for name in menu.proplist if "script" in name}
