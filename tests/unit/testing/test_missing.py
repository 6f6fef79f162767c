from __future__ import annotations

import pytest

from mtd.testing.missing import skip_without


def test_continuous_integration_skips_nothing_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no chromium"):
        skip_without("no chromium")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no chromium"):
        skip_without("no chromium")
