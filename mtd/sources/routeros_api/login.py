"""Both logins: the password in one go (since 6.43), and the challenge before that."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mtd.codec.routeros.words import encode_sentence
from mtd.model.device import Outcome
from mtd.sources.errors import SessionFailed
from mtd.sources.routeros_api import metrics

if TYPE_CHECKING:
    from mtd.model.command import Reply
    from mtd.model.device import Device
    from mtd.sources.routeros_api.session import ApiSession


# What routers say when they end the session instead of refusing the login.
_REFUSALS = ("not logged in", "cannot log in", "login failure", "invalid user name or password")


async def log_in(session: ApiSession, device: Device) -> str:
    """Log in; return the method that served: "plain" or "challenge". Raises `SessionFailed`."""
    user = device.username.encode()
    password = device.password.encode()
    reply = await _ask(session, device, b"=name=" + user, b"=password=" + password)
    challenge = reply.done.get("ret")
    method = "plain"
    if challenge is not None:
        # A router older than 6.43 ignores the password and sends a challenge.
        method = "challenge"
        response = challenge_response(password, challenge)
        await _ask(session, device, b"=name=" + user, b"=response=" + response)
    metrics.LOGINS.labels(method=method).inc()
    return method


def challenge_response(password: bytes, challenge: bytes) -> bytes:
    """Return the answer to a challenge of 32 hex digits. Raises `SessionFailed` if it is none."""
    try:
        token = bytes.fromhex(challenge.decode("ascii"))
    except ValueError as error:
        raise SessionFailed(
            Outcome.PROTOCOL_ERROR, "the router's login challenge isn't hexadecimal; is it a RouterOS?"
        ) from error
    digest = hashlib.md5(b"\0" + password + token, usedforsecurity=False)
    return b"00" + digest.hexdigest().encode()


async def _ask(session: ApiSession, device: Device, *attributes: bytes) -> Reply:
    try:
        reply = await session.ask_login(encode_sentence((b"/login", *attributes)), device.command_timeout_s)
    except SessionFailed as failure:
        raise _explain(session, failure, device) from failure
    if reply.trap is not None:
        raise _refused(device, reply.trap.message)
    return reply


def _explain(session: ApiSession, failure: SessionFailed, device: Device) -> SessionFailed:
    if session.fatal is not None and any(words in session.fatal for words in _REFUSALS):
        return _refused(device, session.fatal)
    if failure.outcome is Outcome.TIMED_OUT:
        return SessionFailed(
            Outcome.TIMED_OUT,
            f"the port accepts connections, but nothing answered the login within {device.command_timeout_s:g} s: "
            "it may be another service's port, or that of the API over TLS (8729)",
        )
    return failure


def _refused(device: Device, message: str) -> SessionFailed:
    return SessionFailed(
        Outcome.LOGIN_FAILED,
        f"the router refused the login of {device.username!r} ({message or 'no reason given'}): check user and "
        "password, the user's group (policy 'api') and its allowed addresses",
    )
