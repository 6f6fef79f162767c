"""Runs in .witnesses: librouteros, with asyncio and with threads. Knows nothing of mtd.

In: {"routers": [{"name", "host", "port", "username", "password", "login", "tls", "certificate"}]}.
Out: {router: {"asyncio" or "threads": what was read}}. All routers are read at once.
"""

import asyncio
import json
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import librouteros
from librouteros import async_connect, login
from librouteros.query import And, Key, Or

Router = dict[str, Any]
Sentences = list[tuple[str, tuple[str, ...]]]

NAME, TYPE, RX = Key("name"), Key("type"), Key("rx-byte")


# Conditions are generators: each is good for one command.
def nobody() -> Any:
    return NAME == "nobody"


def some() -> Any:
    return Or(NAME == "ether1", And(TYPE == "bridge", NAME == "bridge1"))


def context(router: Router) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname = False
    found.load_verify_locations(cadata=router["certificate"])
    return found


def now_us() -> int:
    return time.time_ns() // 1000


# Its commands have no tags; its layer below reads them.
TAGGED = (("/system/identity/print", ".tag=w7"), ("/system/resource/print", "=.proplist=version", ".tag=w8"))


async def tagged_async(protocol: Any) -> Sentences:
    """Two commands under way at once; return their sentences."""
    for sentence in TAGGED:
        await protocol.writeSentence(*sentence)
    sentences: Sentences = []
    while sum(word == "!done" for word, _ in sentences) < len(TAGGED):
        sentences.append(await protocol.readSentence())
    return sentences


def tagged_sync(protocol: Any) -> Sentences:
    for sentence in TAGGED:
        protocol.writeSentence(*sentence)
    sentences: Sentences = []
    while sum(word == "!done" for word, _ in sentences) < len(TAGGED):
        sentences.append(protocol.readSentence())
    return sentences


async def read_async(router: Router) -> dict[str, Any]:
    """Commands one after the other on one session, and several sessions at once."""
    settings: dict[str, Any] = {"port": router["port"], "encoding": "latin-1", "timeout": 20}
    if router["tls"]:
        settings["ssl_wrapper"] = context(router)
    settings["login_method"] = login.async_token if router["login"] == "token" else login.async_plain
    api = await async_connect(router["host"], router["username"], router["password"], **settings)
    try:
        found = {"start_us": now_us(), "interfaces": [row async for row in api.path("interface")]}
        found["end_us"] = now_us()
        found["resource"] = [row async for row in api.path("system", "resource")]
        found["identity"] = [row async for row in api("/system/identity/print")]
        found["some"] = [row async for row in api.path("interface").select(NAME, RX).where(some())]
        found["none"] = [row async for row in api.path("interface").select(NAME).where(nobody())]
        found["tagged"] = await tagged_async(api.protocol)
    finally:
        await api.close()
    return found


def read_sync(router: Router) -> dict[str, Any]:
    settings: dict[str, Any] = {"port": router["port"], "encoding": "latin-1", "timeout": 20}
    if router["tls"]:
        settings["ssl_wrapper"] = context(router).wrap_socket
    settings["login_method"] = login.token if router["login"] == "token" else login.plain
    api = librouteros.connect(router["host"], router["username"], router["password"], **settings)
    try:
        found = {"start_us": now_us(), "interfaces": list(api.path("interface"))}
        found["end_us"] = now_us()
        found["resource"] = list(api.path("system", "resource"))
        found["identity"] = list(api("/system/identity/print"))
        found["some"] = list(api.path("interface").select(NAME, RX).where(some()))
        found["none"] = list(api.path("interface").select(NAME).where(nobody()))
        found["tagged"] = tagged_sync(api.protocol)
    finally:
        api.close()
    return found


async def all_async(routers: list[Router]) -> list[dict[str, Any]]:
    return await asyncio.gather(*map(read_async, routers))


asked = json.load(sys.stdin)["routers"]
by_asyncio = asyncio.run(all_async(asked))
with ThreadPoolExecutor(len(asked)) as threads:
    by_threads = list(threads.map(read_sync, asked))
json.dump(
    {
        router["name"]: {"asyncio": one, "threads": other}
        for router, one, other in zip(asked, by_asyncio, by_threads, strict=True)
    },
    sys.stdout,
)
