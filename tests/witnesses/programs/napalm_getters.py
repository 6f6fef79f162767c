"""Runs in .witnesses: napalm's getters for the routers that are named on standard input.

In: {"routers": [{"name", "host", "port", "username", "password", "tls", "login"}], "getters": [name]}.
Out: {router: {getter: {"start_us", "end_us", "answer"}}}. Knows nothing of mtd.
"""

import json
import ssl
import sys
import time
from typing import Any

from napalm import get_network_driver

Router = dict[str, Any]


def options(router: Router) -> Router:
    found = {"port": router["port"], "login_method": router["login"]}
    if router["tls"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=router["certificate"])
        found["ssl_wrapper"] = context.wrap_socket
    return found


def ask(router: Router, getters: list[str]) -> dict[str, Any]:
    driver = get_network_driver("ros")(
        router["host"], router["username"], router["password"], timeout=20, optional_args=options(router)
    )
    answers = {}
    with driver as device:
        for getter in getters:
            start_us = time.time_ns() // 1000
            answer = getattr(device, getter)()
            answers[getter] = {"start_us": start_us, "end_us": time.time_ns() // 1000, "answer": answer}
    return answers


asked = json.load(sys.stdin)
json.dump({router["name"]: ask(router, asked["getters"]) for router in asked["routers"]}, sys.stdout)
