"""What is believed of an identity provider, and what isn't."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from mtd.api.login.config import OidcConfig
from mtd.api.login.oidc.provider import BadToken, Provider, Secrets
from mtd.core.errors import Retryable
from mtd.testing import run_async
from tests.unit.api.console.kit import FakeClock

ISSUER = "https://login.example.net/realms/isp"
HERE = Secrets("state-1", "nonce-1", "v" * 43, "https://mtd.example.net/console/login/callback")
KEY = ECKey.generate_key("P-256", {"kid": "one"})
OTHER_KEY = ECKey.generate_key("P-256", {"kid": "two"})
NOW = 1000


class Web:
    """A provider in memory. Counts what it is asked."""

    def __init__(self) -> None:
        self.keys: list[Any] = [KEY]
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            "end_session_endpoint": f"{ISSUER}/logout",
            "id_token_signing_alg_values_supported": ["ES256", "RS256", "HS256", "none"],
        }
        self.asked: list[str] = []
        self.answer: tuple[int, dict[str, Any]] = (400, {"error": "invalid_grant"})
        self.posted: tuple[Mapping[str, str], str] = ({}, "")

    async def get(self, url: str) -> dict[str, Any]:
        self.asked.append(url)
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return self.metadata
        assert url == f"{ISSUER}/keys"
        return {"keys": [key.as_dict(private=False) for key in self.keys]}

    async def post(self, url: str, headers: Mapping[str, str], form: str) -> tuple[int, dict[str, Any]]:
        assert url == f"{ISSUER}/token"
        self.posted = headers, form
        return self.answer


class Scene:
    def __init__(self, secret: str = "s3cret", **config: Any) -> None:
        self.web, self.clock = Web(), FakeClock()
        self.config = OidcConfig(issuer=ISSUER, client_id="mtd", **config)
        self.provider = Provider(self.config, secret, self.web, self.clock)

    def claims(self, token: str, nonce: str = "nonce-1", access_token: str | None = None) -> dict[str, Any]:
        return run_async(self.provider.claims(token, nonce, access_token))


def said(**changes: Any) -> dict[str, Any]:
    told = {
        **{"iss": ISSUER, "sub": "person-1", "aud": "mtd", "nonce": "nonce-1"},
        **{"iat": NOW - 5, "exp": NOW + 300},
        **changes,
    }
    return {name: value for name, value in told.items() if value is not None}


def token(key: Any = KEY, alg: str = "ES256", kid: str | None = "one", **changes: Any) -> str:
    header = {"alg": alg} | ({"kid": kid} if kid else {})
    return jwt.encode(header, said(**changes), key, algorithms=[alg])


def test_a_good_token() -> None:
    assert Scene().claims(token(groups=["noc"]))["groups"] == ["noc"]
    assert Scene().claims(token(kid=None))["sub"] == "person-1"
    assert Scene().claims(token(aud=["mtd"], azp="mtd"))["sub"] == "person-1"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"nonce": "nonce-2"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"exp": NOW - 61}, "expired"),
        ({"exp": None}, "exp"),
        ({"iat": NOW + 120}, "token"),
        ({"nbf": NOW + 120}, "not yet valid"),
        ({"aud": "another"}, "aud"),
        ({"aud": ["another", "third"]}, "aud"),
        ({"aud": ["mtd", "another"], "azp": "another"}, "azp"),
        ({"aud": ["mtd", "another"]}, "azp"),
        ({"aud": None}, "aud"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": ISSUER + "/"}, "iss"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
    ],
)
def test_what_isnt_for_this_login(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(BadToken) as bad:
        Scene().claims(token(**changes))
    assert bad.value.reason == "claims"
    assert word in str(bad.value).lower()


def test_clocks_may_be_apart_by_a_minute() -> None:
    assert Scene().claims(token(exp=NOW - 59))
    assert Scene().claims(token(iat=NOW + 59))
    with pytest.raises(BadToken):
        Scene(clock_skew_s=10.0).claims(token(exp=NOW - 59))


def test_what_the_provider_didnt_sign() -> None:
    public = json.dumps(KEY.as_dict(private=False)).encode()
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "none"}, said())
    )
    good = token()
    head, body, signature = good.split(".")
    for wrong in (
        token(OTHER_KEY),  # by the name of the right key
        token(OTHER_KEY, kid="two"),
        jwt.encode({"alg": "HS256", "kid": "one"}, said(), OctKey.import_key(public), algorithms=["HS256"]),
        jwt.encode({"alg": "HS256"}, said(), OctKey.import_key("s3cret-s3cret-s3cret-s3cret-s3cret"), algorithms=["HS256"]),
        unsigned + ".",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        "",
        "a.b.c",
        "\x00" * 100,
    ):  # fmt: skip
        with pytest.raises(BadToken) as bad:
            Scene().claims(wrong)
        assert bad.value.reason == "signature"


def test_algorithms_that_the_provider_doesnt_name_arent_taken() -> None:
    scene = Scene()
    scene.web.metadata["id_token_signing_alg_values_supported"] = ["RS256"]
    with pytest.raises(BadToken):
        scene.claims(token())
    rsa = RSAKey.generate_key(2048, {"kid": "rsa"})
    scene.web.keys = [rsa]
    scene = Scene()
    scene.web.keys = [rsa]
    assert scene.claims(token(rsa, "RS256", "rsa"))


def test_the_token_belongs_to_the_access_token() -> None:
    half = hashlib.sha256(b"access").digest()[:16]
    at_hash = base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert Scene().claims(token(at_hash=at_hash), access_token="access")
    with pytest.raises(BadToken):
        Scene().claims(token(at_hash=at_hash), access_token="another")


def test_new_keys_are_read_when_a_token_names_one_but_not_as_often_as_tokens_come() -> None:
    scene = Scene()
    scene.claims(token())
    keys = f"{ISSUER}/keys"
    assert scene.web.asked.count(keys) == 1
    scene.web.keys = [OTHER_KEY]
    for _ in range(5):  # a moment ago it was read
        with pytest.raises(BadToken):
            scene.claims(token(OTHER_KEY, kid="two"))
    assert scene.web.asked.count(keys) == 1
    scene.clock.now += 11
    assert scene.claims(token(OTHER_KEY, kid="two"))
    assert scene.web.asked.count(keys) == 2
    scene.clock.now += 3601
    assert scene.claims(token(OTHER_KEY, kid="two", iat=NOW, exp=NOW + 9999))
    assert scene.web.asked.count(keys) == 3


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("issuer", "https://evil.example", "issuer"),
        ("issuer", None, "issuer"),
        ("token_endpoint", "http://login.example.net/token", "metadata"),
        ("token_endpoint", None, "metadata"),
        ("authorization_endpoint", "javascript:alert(1)", "metadata"),
        ("jwks_uri", ["https://x"], "metadata"),
        ("jwks_uri", "https://[", "metadata"),
    ],
)
def test_who_says_to_be_another_isnt_asked(name: str, value: Any, reason: str) -> None:
    scene = Scene()
    scene.web.metadata[name] = value
    with pytest.raises(BadToken) as bad:
        run_async(scene.provider.authorization_url(HERE))
    assert bad.value.reason == reason


def test_the_way_there() -> None:
    url = run_async(Scene().provider.authorization_url(HERE))
    assert url.startswith(f"{ISSUER}/auth?")
    sent = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    assert sent == {
        **{"response_type": "code", "client_id": "mtd", "scope": "openid profile email"},
        **{"redirect_uri": HERE.redirect_uri, "state": "state-1", "nonce": "nonce-1"},
        **{"code_challenge": challenge, "code_challenge_method": "S256"},
    }


def test_a_code_is_redeemed_with_the_secret_and_the_verifier() -> None:
    scene = Scene(secret="a b&c")
    scene.web.answer = 200, {"id_token": token()}
    assert run_async(scene.provider.redeem("code-1", HERE))["sub"] == "person-1"
    headers, form = scene.web.posted
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"mtd:a+b%26c"
    sent = {name: values[0] for name, values in parse_qs(form).items()}
    assert sent == {
        **{"grant_type": "authorization_code", "code": "code-1", "code_verifier": "v" * 43},
        "redirect_uri": HERE.redirect_uri,
    }
    assert "a b&c" not in repr(scene.provider) + repr(HERE) + repr(scene.config)

    scene = Scene(secret="")  # a public client
    scene.web.answer = 200, {"id_token": token()}
    run_async(scene.provider.redeem("code-1", HERE))
    assert parse_qs(scene.web.posted[1])["client_id"] == ["mtd"]
    scene = Scene()
    scene.web.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    scene.web.answer = 200, {"id_token": token()}
    run_async(scene.provider.redeem("code-1", HERE))
    assert parse_qs(scene.web.posted[1])["client_secret"] == ["s3cret"]


@pytest.mark.parametrize(
    "answer",
    [
        (400, {"error": "invalid_grant", "error_description": "secret things"}),
        (200, {}),
        (200, {"id_token": 7}),
        (401, {"id_token": "x"}),
    ],
)
def test_a_code_that_isnt_taken(answer: tuple[int, dict[str, Any]]) -> None:
    scene = Scene()
    scene.web.answer = answer
    with pytest.raises(BadToken) as bad:
        run_async(scene.provider.redeem("code-1", HERE))
    assert bad.value.reason == "code"
    assert "secret things" not in str(bad.value)
    scene.web.answer = 503, {}
    with pytest.raises(Retryable):
        run_async(scene.provider.redeem("code-1", HERE))


def test_keys_that_are_none() -> None:
    scene = Scene()
    scene.web.keys = []
    with pytest.raises(Retryable, match="keys"):
        scene.claims(token())
