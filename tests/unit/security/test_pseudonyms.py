from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.security.config import Personal, PrivacyConfig
from mtd.security.keyfile import MasterKey
from mtd.security.pseudonyms import Pseudonym, Pseudonyms

KEY = MasterKey.of(bytes(range(32)))
OTHER_TENANT = "5e3a0cb4-0000-4000-8000-000000000002"


def hashed(key: MasterKey = KEY, tenant: str = DEFAULT_TENANT_ID) -> Pseudonym:
    pseudonym = Pseudonyms(key, PrivacyConfig()).of(tenant)
    assert pseudonym is not None
    return pseudonym


def test_a_pseudonym_is_the_same_for_ever() -> None:
    """Whoever changes how it is made renames every subscriber of every installation."""
    assert hashed()("john.smith@isp.example") == "~bqztiz7bl2zbnod3"
    assert hashed()("64:D1:54:00:00:01") == hashed()("64:D1:54:00:00:01")


def test_it_says_nothing_without_the_key_of_the_tenant() -> None:
    name = "john"
    others = {hashed(MasterKey.of(bytes(32)))(name), hashed(tenant=OTHER_TENANT)(name)}
    assert hashed()(name) not in others
    assert len(others) == 2


@given(text=st.text(min_size=1), other=st.text(min_size=1))
def test_any_text_has_one_and_no_two_texts_share_one(text: str, other: str) -> None:
    pseudonym = hashed()
    assert re.fullmatch("~[a-z2-7]{16}", pseudonym(text))
    assert (pseudonym(text) == pseudonym(other)) is (text == other)


def test_nothing_stays_nothing() -> None:
    assert hashed()("") == ""


def test_the_operator_says_what_is_kept() -> None:
    config = PrivacyConfig(subscribers=Personal.KEPT, tenants={uuid.UUID(OTHER_TENANT): Personal.HASHED})
    pseudonyms = Pseudonyms(KEY, config)
    assert pseudonyms.of(DEFAULT_TENANT_ID) is None
    assert pseudonyms.of(OTHER_TENANT) is not None
    assert repr(pseudonyms) == "Pseudonyms()"
    with pytest.raises(ValidationError):
        PrivacyConfig.model_validate({"subscribers": "sold"})
    with pytest.raises(ValidationError):
        PrivacyConfig.model_validate({"tenants": {"acme": "kept"}})
