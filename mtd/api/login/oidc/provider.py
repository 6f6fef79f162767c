"""The identity provider: what it says of itself, its keys, and what its tokens say."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote_plus, urlsplit

from authlib.oauth2.auth import encode_client_secret_basic, encode_client_secret_post, encode_none
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from mtd.api.login.config import OidcConfig
from mtd.core.clock import Clock
from mtd.core.errors import Refused, Retryable

logger = logging.getLogger(__name__)

METADATA_S = 3600.0
KEYS_S = 3600.0
KEYS_AGAIN_S = 10.0
"""Least time between two readings of keys, whatever keys tokens name."""

# Signed by a key that only the provider has: never what our own secret, or nothing, signs.
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)


class BadToken(Refused):
    """What a provider answered is no login."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Web(Protocol):
    """Asks web servers: see `WebClient`."""

    async def get(self, url: str) -> dict[str, Any]:
        """Return the JSON object at an address."""

    async def post(self, url: str, headers: Mapping[str, str], form: str) -> tuple[int, dict[str, Any]]:
        """Send a form; return status and JSON object."""


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What ties the answer of a provider to one login."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


@dataclass(slots=True)
class _Kept:
    value: Any = None
    until: float = -math.inf
    read_at: float = -math.inf
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Provider:
    """One issuer. What it says of itself, and its keys, are kept for an hour; keys are read again for an unknown one."""

    def __init__(self, config: OidcConfig, secret: str, web: Web, clock: Clock) -> None:
        self._config = config
        self._secret = secret
        self._web = web
        self._clock = clock
        self._metadata = _Kept()
        self._keys = _Kept()

    def __repr__(self) -> str:
        return f"Provider({self._config.issuer!r})"  # never the secret

    async def authorization_url(self, secrets: Secrets) -> str:
        """Return where a browser logs in. Raises Retryable."""
        metadata = await self.metadata()
        url: str = prepare_grant_uri(
            metadata["authorization_endpoint"],
            self._config.client_id,
            "code",
            redirect_uri=secrets.redirect_uri,
            scope=" ".join(self._config.scopes),
            state=secrets.state,
            nonce=secrets.nonce,
            code_challenge=create_s256_code_challenge(secrets.verifier),  # type: ignore[no-untyped-call]
            code_challenge_method="S256",
        )
        return url

    async def logout_url(self) -> str:
        """Return where a browser logs out at the provider, too; empty if it has no such place."""
        metadata = await self.metadata()
        url = metadata.get("end_session_endpoint")
        return f"{url}?client_id={quote_plus(self._config.client_id)}" if _is_good(url) else ""

    async def redeem(self, code: str, secrets: Secrets) -> dict[str, Any]:
        """Return the claims for a code. Raises BadToken, Retryable."""
        metadata = await self.metadata()
        body = prepare_token_request(
            "authorization_code", redirect_uri=secrets.redirect_uri, code=code, code_verifier=secrets.verifier
        )
        headers = {"content-type": "application/x-www-form-urlencoded"}
        url, headers, body = self._authenticated(metadata, headers, body)
        status, answer = await self._web.post(url, headers, body)
        if status >= 500:
            raise Retryable(f"the identity provider answered {status}")
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            # Not its description: who knows what that holds.
            raise BadToken(
                "code", f"the identity provider took no code: {status}, {str(answer.get('error'))[:100]}"
            )
        return await self.claims(token, secrets.nonce, answer.get("access_token"))

    async def claims(self, token: str, nonce: str, access_token: Any = None) -> dict[str, Any]:
        """Return what an id token says, once it is proved. Raises BadToken, Retryable."""
        algorithms = self._algorithms(await self.metadata())
        keys = await self._key_set()
        try:
            decoded = await asyncio.to_thread(decoded_token, token, keys, algorithms)
        except InvalidKeyIdError:
            # Providers change their keys, and tokens name the key that signed them.
            keys = await self._key_set(again=True)
            try:
                decoded = await asyncio.to_thread(decoded_token, token, keys, algorithms)
            except (JoseError, ValueError) as error:
                raise BadToken("signature", f"the token isn't signed by the provider: {error}") from None
        except (JoseError, ValueError) as error:
            raise BadToken("signature", f"the token isn't signed by the provider: {error}") from None
        return self.checked(decoded, nonce, access_token)

    def checked(self, decoded: jwt.Token, nonce: str, access_token: Any) -> dict[str, Any]:
        """Return the claims of a token that is the provider's, if it is for this login. Raises BadToken."""
        client_id = self._config.client_id
        params = {"nonce": nonce, "client_id": client_id}
        if isinstance(access_token, str):
            params["access_token"] = access_token
        options = {
            "iss": {"essential": True, "value": self._config.issuer},
            "aud": {"essential": True, "value": client_id},
        }
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        try:
            claims.validate(now=self._clock.now_us() // 1_000_000, leeway=int(self._config.clock_skew_s))
        except JoseError as error:
            raise BadToken("claims", f"the token isn't for this login: {error}") from None
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise BadToken("claims", "the token says of nobody who it is: sub")
        return dict(claims)

    def _authenticated(
        self, metadata: Mapping[str, Any], headers: dict[str, str], body: str
    ) -> tuple[str, dict[str, str], str]:
        supported = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        client = _Client(self._config.client_id, self._secret)
        method = encode_client_secret_basic
        if not self._secret:
            method = encode_none
        elif "client_secret_basic" not in supported and "client_secret_post" in supported:
            method = encode_client_secret_post
        else:
            client = _Client(quote_plus(self._config.client_id), quote_plus(self._secret))
        url, headers, body = method(client, "POST", metadata["token_endpoint"], headers, body)
        return url, headers, body

    async def metadata(self) -> Mapping[str, Any]:
        """Return what the provider says of itself. Raises Retryable; BadToken if it is another one."""
        kept = self._metadata
        async with kept.lock:
            now = self._clock.monotonic()
            if now >= kept.until:
                found = await self._web.get(get_well_known_url(self._config.issuer, external=True))
                if found.get("issuer") != self._config.issuer:
                    raise BadToken(
                        "issuer",
                        f"oidc.issuer is {self._config.issuer!r}, but the provider says {found.get('issuer')!r}",
                    )
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    if not _is_good(found.get(name)):
                        raise BadToken("metadata", f"the identity provider's {name} is no https address")
                kept.value, kept.until = found, now + METADATA_S
        metadata: Mapping[str, Any] = kept.value
        return metadata

    async def _key_set(self, *, again: bool = False) -> KeySet:
        kept = self._keys
        async with kept.lock:
            now = self._clock.monotonic()
            if now >= kept.until or (again and now - kept.read_at >= KEYS_AGAIN_S):
                kept.read_at = now
                found = await self._web.get((await self.metadata())["jwks_uri"])
                try:
                    kept.value = await asyncio.to_thread(KeySet.import_key_set, found)  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise Retryable(f"the keys of the identity provider can't be used: {error}") from None
                kept.until = now + KEYS_S
        keys: KeySet = kept.value
        return keys

    @staticmethod
    def _algorithms(metadata: Mapping[str, Any]) -> Sequence[str]:
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        return [name for name in ALGORITHMS if name in offered]


@dataclass(frozen=True, slots=True, repr=False)
class _Client:
    client_id: str
    client_secret: str


def decoded_token(token: str, keys: KeySet, algorithms: Sequence[str]) -> jwt.Token:
    """Return a token that one of the keys has signed. Raises JoseError, ValueError."""
    registry = JWSRegistry(algorithms=list(algorithms), strict_check_header=False)
    return jwt.decode(token, keys, registry=registry)


def _is_good(url: Any) -> bool:
    """Whether a browser, or a secret, may be sent there: by https, or on this machine."""
    if not isinstance(url, str):
        return False
    try:
        where = urlsplit(url)
        return bool(where.hostname) and (
            where.scheme == "https"
            or (where.scheme == "http" and where.hostname in ("localhost", "127.0.0.1", "::1"))
        )
    except ValueError:
        return False
