"""Secrets in HashiCorp Vault: ``vault:routers/core#password`` is a field of a secret of the KV engine, version 2.

It logs in with a token, or by AppRole; what the login gives is renewed before it ends, and a login that Vault
refuses is made anew once.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zope.interface import implementer

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Refused
from mtd.security.errors import SecretUnavailable
from mtd.security.interfaces import Fetched, ISecretProvider
from mtd.security.providers.config import VaultConfig
from mtd.security.providers.http import Answer, HttpClient

_FORBIDDEN, _NOT_FOUND = 403, 404
_MOST_BYTES = 4096
# A login is renewed when so much of its life is over.
_RENEW_AT = 2 / 3


@dataclass(slots=True)
class _Login:
    """A token of Vault. ``renew_at``: None if it need not, or can't, be renewed."""

    token: str
    renew_at: float | None = None
    ends_at: float | None = None


@implementer(ISecretProvider)
class VaultProvider:
    """See `ISecretProvider`."""

    scheme = "vault"

    def __init__(self, config: VaultConfig, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._config = config
        self._clock = clock
        self._http = HttpClient(config.url, config.ca_file)
        self._login: _Login | None = None
        self._turn = asyncio.Lock()  # one login at a time, however many secrets are asked for

    def __repr__(self) -> str:
        return f"VaultProvider({self._config.url!r})"

    def check(self, tenant_id: str, path: str) -> None:
        """Raise Refused for what isn't ``path#field`` below what is allowed."""
        name, hash_, field = path.partition("#")
        if not (name and hash_ and field):
            raise Refused(f"vault:{path} doesn't say which field: write vault:PATH#FIELD")
        parts = name.split("/")
        roots = tuple(root.replace("{tenant}", tenant_id) for root in self._config.paths)
        if "" in parts or "." in parts or ".." in parts or not name.startswith(roots):
            raise Refused(
                f"vault:{path} doesn't begin with one of security.providers.vault.paths that this tenant may use"
            )

    async def fetch(self, tenant_id: str, path: str) -> Fetched:
        """Return a field of a secret."""
        name, _, field = path.partition("#")
        target = f"/v1/{quote(self._config.mount)}/data/{quote(name)}"
        token = await self._token()
        answer = await self._ask("GET", target, token)
        if answer.status == _FORBIDDEN:
            # The token may have ended before its time: revoked, or its file holds another by now.
            renewed = await self._token(refused=token)
            answer = await self._ask("GET", target, renewed)
        if answer.status != 200:
            raise SecretUnavailable(self._refusal(answer, name))
        return _field(answer, name, field)

    async def stop(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _token(self, refused: str = "") -> str:
        async with self._turn:
            login, now = self._login, self._clock.monotonic()
            if login is not None and login.token != refused:
                if login.renew_at is not None and now >= login.renew_at:
                    login = await self._renewed(login)
                if login is not None and (login.ends_at is None or now < login.ends_at):
                    return login.token
            self._login = None
            self._login = await self._log_in()
            return self._login.token

    async def _log_in(self) -> _Login:
        if self._config.token_file is not None:
            token = await _content(self._config.token_file)
            answer = await self._ask("GET", "/v1/auth/token/lookup-self", token)
            if answer.status != 200:
                raise SecretUnavailable(self._refusal(answer, "auth/token/lookup-self"))
            data = _part(answer, "data")
            return self._login_of(token, data.get("ttl"), data.get("renewable"))
        assert self._config.secret_id_file is not None
        secret_id = await _content(self._config.secret_id_file)
        target = f"/v1/auth/{quote(self._config.approle_mount)}/login"
        answer = await self._ask(
            "POST", target, "", {"role_id": self._config.role_id, "secret_id": secret_id}
        )
        if answer.status != 200:
            raise SecretUnavailable(f"AppRole: {self._refusal(answer, target.removeprefix('/v1/'))}")
        return self._login_in(answer)

    async def _renewed(self, login: _Login) -> _Login | None:
        answer = await self._ask("POST", "/v1/auth/token/renew-self", login.token, {})
        if answer.status != 200:
            if login.ends_at is not None and self._clock.monotonic() < login.ends_at:
                login.renew_at = None  # as long as it lasts
                return login
            return None
        self._login = self._login_in(answer)
        return self._login

    def _login_in(self, answer: Answer) -> _Login:
        auth = _part(answer, "auth")
        token = auth.get("client_token")
        if not isinstance(token, str) or not token:
            raise SecretUnavailable("Vault let us in without a token: is it Vault?")
        return self._login_of(token, auth.get("lease_duration"), auth.get("renewable"))

    def _login_of(self, token: str, lifetime_s: Any, renewable: Any) -> _Login:
        if not isinstance(lifetime_s, int | float) or lifetime_s <= 0:
            return _Login(token)  # it doesn't end
        now = self._clock.monotonic()
        return _Login(token, now + lifetime_s * _RENEW_AT if renewable else None, now + lifetime_s)

    async def _ask(self, method: str, target: str, token: str, body: object = None) -> Answer:
        headers = {"X-Vault-Request": "true"}
        if token:
            headers["X-Vault-Token"] = token
        if self._config.namespace:
            headers["X-Vault-Namespace"] = self._config.namespace
        return await self._http.ask(
            method, target, headers, None if body is None else json.dumps(body).encode()
        )

    def _refusal(self, answer: Answer, path: str) -> str:
        """Return what an answer means, and what to do. Of what Vault says, only its own words about errors."""
        match answer.status:
            case 403:
                return f"Vault doesn't let us read {path} (403): give our policy the capability `read` on it"
            case 404:
                return f"Vault has no {path} (404), or its newest version was deleted: put it there"
            case 429 | 472 | 473:
                return f"Vault is busy, or this node is a standby (status {answer.status})"
            case 503:
                return "Vault is sealed, or in maintenance (503): unseal it"
            case 400:
                return f"Vault refused {path} (400): {_errors(answer) or 'it gives no reason'}"
        return f"Vault answered with status {answer.status} for {path}"


def _field(answer: Answer, name: str, field: str) -> Fetched:
    data = _part(answer, "data").get("data")
    if not isinstance(data, dict):
        raise SecretUnavailable(
            f"Vault's answer for {name} holds no fields: is the engine of security.providers.vault.mount of version 2?"
        )
    value = data.get(field)
    if not isinstance(value, str) or not value:
        raise SecretUnavailable(
            f"{name} has no text in the field {field!r}; it has {', '.join(sorted(data)) or 'none'}"
        )
    lease = _json(answer).get("lease_duration")
    return Fetched(value, float(lease) if isinstance(lease, int | float) and lease > 0 else None)


def _json(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SecretUnavailable("the answer isn't Vault's: check security.providers.vault.url")
    return found


def _part(answer: Answer, name: str) -> dict[str, Any]:
    found = _json(answer).get(name)
    if not isinstance(found, dict):
        raise SecretUnavailable("the answer isn't Vault's: check security.providers.vault.url")
    return found


def _errors(answer: Answer) -> str:
    try:
        errors = _json(answer).get("errors")
    except SecretUnavailable:
        return ""
    return "; ".join(str(error)[:200] for error in errors[:3]) if isinstance(errors, list) else ""


async def _content(path: Path) -> str:
    def read() -> str:
        try:
            with path.open("rb") as file:
                return file.read(_MOST_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise SecretUnavailable(f"{path} can't be read ({why})") from None

    text = await asyncio.to_thread(read)
    if not text:
        raise SecretUnavailable(f"{path} is empty")
    return text
