"""What ``mtd lab`` prints."""

from __future__ import annotations

import io

from rich.console import Console

from mtd.lab.command import _show
from mtd.lab.service import Lab
from mtd.testing import run_async


def test_addresses_and_passwords_are_whole_on_a_narrow_screen() -> None:
    text = io.StringIO()

    async def body() -> None:
        lab = Lab()
        await lab.start()
        try:
            _show(Console(file=text, width=80), lab)
        finally:
            await lab.stop()

    run_async(body())
    assert "lab-password" in text.getvalue()
