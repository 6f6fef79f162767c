"""Names and quotas that can be."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.tenant import NAME_CHARACTERS, Quota, Quotas, name_problem


@pytest.mark.parametrize("name", ["north", "Nord & Süd", "eve@isp.example", "x" * NAME_CHARACTERS, "север"])
def test_names_that_can_be(name: str) -> None:
    assert name_problem(name) == ""


@given(st.uuids())
def test_no_name_looks_like_an_id(one: uuid.UUID) -> None:
    assert "id" in name_problem(str(one))
    assert "id" in name_problem(one.hex)


@given(st.text(max_size=120))
def test_what_has_no_problem_is_a_line_that_people_can_read(name: str) -> None:
    if not name_problem(name):
        assert name.isprintable()
        assert name == name.strip() != ""
        assert len(name) <= NAME_CHARACTERS


@given(st.sampled_from(Quota), st.integers())
def test_quotas_fit_their_column(quota: Quota, value: int) -> None:
    quotas = Quotas(**{quota.value: value})
    assert quotas.of(quota) == value
    least = 1 if quota is Quota.RETENTION_DAYS else 0
    assert bool(quotas.problems()) == (not least <= value < 2**31)
