"""What a test does without a program that it needs."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_without(reason: str) -> NoReturn:
    """Skip a test; fail it where continuous integration says that it is one: nobody reads there what was skipped."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
