"""Opening a REST session, step by step, each step timed and told."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mtd.codec.rest import NotRows, Request, RowReader, TooMuch, is_routeros_error, request_of
from mtd.model.command import Command
from mtd.model.device import Outcome, TlsMode
from mtd.sources.errors import SessionFailed
from mtd.sources.rest.connection import HttpConnection, Traffic
from mtd.sources.rest.session import RestSession, refused_login
from mtd.sources.steps import Steps
from mtd.sources.tcp.connect import connect_tcp, resolve, secure
from mtd.sources.tcp.services import REST
from mtd.sources.tcp.tls import TlsClient, context_for

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device
    from mtd.sources.rest.config import RestConfig
    from mtd.sources.rest.connection import Headers

_WHO = Command("/system/resource/print", ("version",), max_rows=1)
_NO_REST = (
    "a web server answers, but it has no REST: RouterOS has it since 7.1 (without TLS since 7.9), and so do "
    f"only www and www-ssl; {REST.here}"
)


@dataclass(frozen=True, slots=True)
class RestTools:
    """What opening a session takes besides the device. ``tls_ca_file``: the authorities to trust."""

    clock: Clock
    settings: RestConfig
    tls_ca_file: str
    reactor: Any


async def open_rest(device: Device, tools: RestTools, steps: Steps) -> RestSession:
    """Resolve, connect, secure, log in. Raises `SessionFailed`, with nothing left open."""
    traffic = Traffic()
    connection = await _dial(device, tools, traffic, steps)
    session = RestSession(
        device, partial(_dial_again, device, tools, traffic), tools.clock, tools.settings, traffic
    )
    session.adopt(connection)
    try:
        with steps.step("login") as step:
            await _log_in(session, device)
            step.detail = "basic"
    except BaseException:
        await session.close()
        raise
    return session


async def _dial_again(device: Device, tools: RestTools, traffic: Traffic) -> HttpConnection:
    """Open one more connection of a session. Nobody asks for the steps of these: they may be many."""
    return await _dial(device, tools, traffic, Steps(tools.clock))


async def _dial(device: Device, tools: RestTools, traffic: Traffic, steps: Steps) -> HttpConnection:
    rest, budget = device.rest, device.connect_timeout_s
    with steps.step("resolve") as step:
        addresses = await resolve(device.host, tools.reactor, budget)
        step.detail = ", ".join(addresses)
    budget = max(0.5, budget - step.duration_us / 1e6)  # resolving and connecting share the time-out
    with steps.step("connect") as step:
        stream, address = await connect_tcp(addresses, rest.port, tools.reactor, budget, REST)
        step.detail = f"{address} port {rest.port}"
    if rest.tls_mode is not TlsMode.OFF:
        with steps.step("tls") as step:
            try:
                context = await context_for(rest.tls_mode, tools.tls_ca_file)
                client = TlsClient(rest.tls_mode, device.host, context, rest.tls_fingerprint)
            except BaseException:
                stream.abort()
                raise
            try:
                await secure(stream, client, device.connect_timeout_s, REST)
            finally:
                steps.tls_fingerprint = client.seen_fingerprint
            step.detail = client.describe()
    return HttpConnection(stream, _headers(device), tools.clock, traffic)


def _headers(device: Device) -> Headers:
    host = f"[{device.host}]".encode() if ":" in device.host else device.host.encode("idna")
    login = base64.b64encode(f"{device.username}:{device.password}".encode())
    return [
        (b"host", b"%b:%d" % (host, device.rest.port)),
        (b"authorization", b"Basic " + login),
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
    ]


async def _log_in(session: RestSession, device: Device) -> None:
    """Ask for something small. Each request carries the login: this one tells whether it is right."""
    if ":" in device.username:
        raise SessionFailed(
            Outcome.LOGIN_FAILED,
            f"user {device.username!r} has a colon in the name: REST can't log in with it",
        )
    body = RowReader(_WHO)
    try:
        answer = await session.ask(_request(), body, device.command_timeout_s)
        if answer.status < 300:
            body.finish()
            return
    except TimeoutError:
        raise SessionFailed(
            Outcome.TIMED_OUT,
            f"the port accepts connections, but nothing answered the login within {device.command_timeout_s:g} s: "
            "it may be another service's port, or that of www-ssl (443)",
        ) from None
    except (TooMuch, NotRows) as damage:
        raise SessionFailed(Outcome.PROTOCOL_ERROR, _NO_REST) from damage
    if answer.status == 401:
        raise SessionFailed(Outcome.LOGIN_FAILED, refused_login(device))
    if not is_routeros_error(answer.error):
        raise SessionFailed(Outcome.PROTOCOL_ERROR, f"{_NO_REST} (status {answer.status})")


def _request() -> Request:
    request = request_of(_WHO)
    assert request is not None
    return request
