"""One connection to the NATS servers: requests, many at once, and an end that everybody hears of.

Reconnecting is left to who uses it: nothing that was sent over a connection
that broke is sent again behind anybody's back.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import nats.errors
from nats.aio.client import Client, RawCredentials
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from mtd.core.errors import Misconfigured
from mtd.eventlog.config import NatsConfig
from mtd.eventlog.jetstream.errors import NatsAway, NotLetIn, StreamFull, WrongSequence

logger = logging.getLogger(__name__)

# A peer that is gone without a word is noticed after three of these.
_PING_S = 3
_CLOSE_S = 1.0
_FLUSH_S = 5
_INSIST_S = 0.5
# Sent without looking whether the server takes it.
_UNSENT_BYTES = 1024 * 1024
_OLDEST_SERVER = (2, 11)
_NO_RESPONDERS = "503"
_END = "204"
_FULL = frozenset({10077, 10047, 10023, 10110})  # stream, account, resources; message to be rejected
_WRONG_SEQUENCE = frozenset({10071, 10070, 10164})
_MORE_THAN_ASKED = 64 * 1024 * 1024

Take = Callable[[Msg], None]


class ApiError(NatsAway):
    """JetStream refused a request; ``code`` says why."""

    reason = "refused"

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class Connection:
    """A connection that is opened when it is needed, and anew after it broke."""

    def __init__(self, settings: NatsConfig, name: str) -> None:
        self._settings = settings
        self._name = name
        self._client: Client | None = None
        self._inbox = ""
        self._tokens = itertools.count(1)
        self._waiting: dict[str, tuple[asyncio.Future[Any], Take]] = {}
        self._next_server = 0
        self._opening = asyncio.Lock()
        self._failure = ""
        self._unsent_bytes = 0
        self._openings = 0
        self.on_open: Callable[[], Awaitable[None]] | None = None

    # -- opening -------------------------------------------------------------

    async def open(self) -> None:
        """Connect to one of the servers, unless there is a connection. Raises NatsAway, NotLetIn, Misconfigured."""
        async with self._opening:
            if self.is_open:
                return
            await self.close()
            failures = []
            for _ in self._settings.servers:
                server = self._settings.servers[self._next_server % len(self._settings.servers)]
                self._next_server += 1
                try:
                    await self._connect(server)
                except (OSError, nats.errors.Error, TimeoutError, ValueError) as error:
                    told = isinstance(error, nats.errors.NoServersError) and self._failure
                    failures.append(f"{server}{self._failure}" if told else f"{server}: {_text(error)}")
                    continue
                return
            text = f"no NATS server can be reached: {'; '.join(failures)}"
            if any("uthorization" in failure for failure in failures):
                raise NotLetIn(text)
            raise NatsAway(text)

    async def _connect(self, server: str) -> None:
        settings = self._settings
        options = await asyncio.to_thread(_login_of, settings)
        client = Client()

        async def closed() -> None:
            self._on_closed(client)

        connecting = client.connect(
            servers=[server],
            name=self._name,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=settings.connect_timeout_s,  # type: ignore[arg-type]
            ping_interval=_PING_S,
            max_outstanding_pings=2,
            pending_size=_MORE_THAN_ASKED,
            error_cb=self._on_error,
            closed_cb=closed,
            **options,
        )
        try:
            await asyncio.wait_for(connecting, 3 * settings.connect_timeout_s)
            self._check_version(client)
            self._inbox = client.new_inbox()
            await client.subscribe(
                f"{self._inbox}.*", cb=self._on_reply, pending_bytes_limit=4 * _MORE_THAN_ASKED
            )
        except BaseException:
            await _close(client)
            raise
        self._failure = ""
        self._client = client
        self._openings += 1
        if self.on_open is not None:
            await self.on_open()

    @staticmethod
    def _check_version(client: Client) -> None:
        version = client.connected_server_version
        if (version.major, version.minor) < _OLDEST_SERVER:
            raise Misconfigured(
                f"the NATS server has version {version.major}.{version.minor}; mtd needs"
                f" {'.'.join(map(str, _OLDEST_SERVER))} or newer"
            )

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that isn't known to be broken."""
        return self._client is not None and self._client.is_connected

    @property
    def opening(self) -> int:
        """Number of the connection that there is, or that will be opened next: what ``drop`` is told."""
        return self._openings if self.is_open else self._openings + 1

    @property
    def max_payload(self) -> int:
        """The largest message that the server takes."""
        return self._open_client().max_payload

    def _open_client(self) -> Client:
        if self._client is None or not self._client.is_connected:
            raise NatsAway(f"there is no connection to a NATS server{self._failure}")
        return self._client

    async def close(self) -> None:
        """Close it; whoever waits for an answer is told."""
        client, self._client = self._client, None
        # First: while it closes, another may be opened, whose answers are waited for.
        self._give_up("the connection to the NATS server was closed")
        if client is not None:
            await _close(client)

    async def drop(self, error: Exception, opening: int) -> None:
        """Close what doesn't answer, so that the next attempt goes to another server; not if that was made already."""
        if opening != self._openings:
            return
        self._failure = f": {error}"
        await self.close()

    async def _on_error(self, error: Exception) -> None:
        logger.debug("nats: %s", _text(error))
        self._failure = f": {_text(error)}"

    def _on_closed(self, client: Client) -> None:
        if client is self._client:
            self._client = None
            self._give_up(f"the connection to the NATS server was lost{self._failure}")

    def _give_up(self, text: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for done, _ in waiting.values():
            if not done.done():
                done.set_exception(NatsAway(text))
                done.exception()  # who gave up before isn't there to be told

    # -- asking --------------------------------------------------------------

    async def post(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> asyncio.Future[dict[str, Any]]:
        """Send a message, and return what will be the answer: JSON, or an error that it tells."""
        done: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def take(message: Msg) -> None:
            try:
                done.set_result(_answer(message))
            except (NatsAway, StreamFull, WrongSequence) as error:
                done.set_exception(error)
                done.exception()

        await self._send(subject, payload, headers, done, take)
        return done

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 0.0,
    ) -> dict[str, Any]:
        """Send a message and wait for its answer. Raises NatsAway and what the answer tells."""
        try:
            async with asyncio.timeout(timeout_s or self._settings.request_timeout_s):
                return await (await self.post(subject, payload, headers))
        except TimeoutError:
            raise NatsAway(f"the NATS server did not answer to {subject} in time") from None

    async def api(self, verb: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask JetStream for something. Raises ApiError, and NatsAway without an answer."""
        payload = json.dumps(body).encode() if body is not None else b""
        return await self.request(f"$JS.API.{verb}", payload)

    async def insist(self, verb: str) -> dict[str, Any]:
        """Ask JetStream what changes nothing, again every half second; return the first answer.

        A question that is put while there is no leader is never answered, and one that
        a busy leader has may take long: neither has to be waited for alone.
        """
        asked: set[asyncio.Future[dict[str, Any]]] = set()
        deadline = asyncio.get_running_loop().time() + self._settings.request_timeout_s
        try:
            while (left_s := deadline - asyncio.get_running_loop().time()) > 0:
                asked.add(await self.post(f"$JS.API.{verb}", b""))
                done, _ = await asyncio.wait(
                    asked, timeout=min(_INSIST_S, left_s), return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    return done.pop().result()
        finally:
            for one in asked:
                one.cancel()
        raise NatsAway(f"the NATS server did not answer to {verb} in time")

    async def gather(self, verb: str, body: Mapping[str, Any], timeout_s: float = 0.0) -> list[Msg]:
        """Ask JetStream for messages, and return those that came up to its end mark."""
        done: asyncio.Future[list[Msg]] = asyncio.get_running_loop().create_future()
        found: list[Msg] = []

        def take(message: Msg) -> None:
            status = (message.headers or {}).get("Status", "")
            if not status:
                found.append(message)
            elif status == _NO_RESPONDERS:
                done.set_exception(
                    NatsAway("nobody answers for the stream: it has no leader, or isn't there")
                )
                done.exception()
            elif not done.done():  # the end, or nothing found
                done.set_result(found)

        try:
            async with asyncio.timeout(timeout_s or self._settings.request_timeout_s):
                await self._send(f"$JS.API.{verb}", json.dumps(body).encode(), None, done, take)
                return await done
        except TimeoutError:
            raise NatsAway("the NATS server did not give the messages asked for in time") from None

    async def subscribe(self, subject: str, take: Callable[[Msg], Any] | None = None) -> Subscription:
        """Subscribe; without ``take`` messages are asked for one by one."""
        try:
            return await self._open_client().subscribe(
                subject, cb=take, pending_msgs_limit=100_000, pending_bytes_limit=4 * _MORE_THAN_ASKED
            )
        except nats.errors.Error as error:
            raise NatsAway(f"subscribing failed: {_text(error)}") from error

    async def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Send a message that nobody here waits for an answer to."""
        try:
            await self._open_client().publish(subject, payload, reply=reply)
        except (OSError, nats.errors.Error) as error:
            raise NatsAway(f"sending failed: {_text(error)}") from error

    def new_inbox(self) -> str:
        """Return a subject of its own for answers."""
        return self._open_client().new_inbox()

    async def _send(
        self,
        subject: str,
        payload: bytes,
        headers: Mapping[str, str] | None,
        done: asyncio.Future[Any],
        take: Take,
    ) -> None:
        client = self._open_client()
        await self._pace(client, len(payload))
        token = str(next(self._tokens))
        self._waiting[token] = (done, take)
        done.add_done_callback(lambda _: self._waiting.pop(token, None))
        try:
            await client.publish(
                subject, payload, reply=f"{self._inbox}.{token}", headers=dict(headers) if headers else None
            )
        except (OSError, nats.errors.Error) as error:
            done.cancel()
            raise NatsAway(f"sending failed: {_text(error)}") from error
        except BaseException:
            done.cancel()
            raise

    async def _pace(self, client: Client, size: int) -> None:
        """Let the server take what was sent before: buffers of megabytes would hold up the loop."""
        self._unsent_bytes += size
        if self._unsent_bytes < _UNSENT_BYTES:
            return
        self._unsent_bytes = size
        try:
            await client.flush(_FLUSH_S)
        except (OSError, nats.errors.Error, TimeoutError) as error:
            raise NatsAway(f"the NATS server takes nothing: {_text(error)}") from error

    async def _on_reply(self, message: Msg) -> None:
        waiting = self._waiting.get(message.subject.rpartition(".")[2])
        if waiting is not None and not waiting[0].done():
            waiting[1](message)


async def _close(client: Client) -> None:
    """Close a connection, however its peer behaves."""
    closing = asyncio.ensure_future(client.close())
    await asyncio.wait({closing}, timeout=_CLOSE_S)
    closing.cancel()
    closing.add_done_callback(lambda done: done.cancelled() or done.exception())


def _answer(message: Msg) -> dict[str, Any]:
    """Return an answer in JSON; raises the error that it tells."""
    if (message.headers or {}).get("Status") == _NO_RESPONDERS:
        raise NatsAway("nobody answers: JetStream is off, the stream has no leader, or it isn't there")
    try:
        answer = json.loads(message.data)
    except ValueError:
        raise NatsAway("the NATS server answered what isn't JSON") from None
    error = answer.get("error") if isinstance(answer, dict) else {"description": "not an object"}
    if not error:
        return answer  # type: ignore[no-any-return]
    code, text = int(error.get("err_code", 0)), str(error.get("description", "no reason given"))
    if code in _FULL:
        raise StreamFull(f"JetStream has no room: {text}")
    if code in _WRONG_SEQUENCE:
        raise WrongSequence(f"JetStream refused a message: {text}")
    raise ApiError(f"JetStream refused a request: {text}", code)


def _login_of(settings: NatsConfig) -> dict[str, Any]:
    """Return what a client logs in with. Reads files."""
    options: dict[str, Any] = {}
    try:
        if settings.credentials_file is not None:
            options["user_credentials"] = RawCredentials(
                settings.credentials_file.read_text(encoding="utf-8")
            )
        if settings.password_file is not None:
            options["user"] = settings.user
            options["password"] = settings.password_file.read_text(encoding="utf-8").strip()
        if settings.with_tls:
            ca = str(settings.tls_ca_file) if settings.tls_ca_file is not None else None
            context = ssl.create_default_context(cafile=ca)
            if settings.tls_certificate_file is not None:
                context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
            options["tls"] = context
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise Misconfigured(
            f"what mtd logs in with at NATS can't be read: {error}; see event_log.jetstream"
        ) from error
    return options


def _text(error: BaseException) -> str:
    return str(error).removeprefix("nats: ") or type(error).__name__
