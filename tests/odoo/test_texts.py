"""The texts to translate are those of the code."""

from __future__ import annotations

import os
import subprocess

import pytest

from mtd.testing.odoo.installation import ROOT
from mtd.testing.odoo.server import Odoo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_template_of_translations_is_up_to_date(odoo: Odoo, addon_template: str) -> None:
    done = subprocess.run(
        [ROOT / "scripts/addon", "--texts", addon_template, "--check", "--", "-c", odoo.config],
        env={**os.environ, **odoo.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
