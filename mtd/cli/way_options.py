"""Options that tell by which ways a router is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from mtd.cli.router_options import TLS_MODES

WAYS = ("api", "rest", "snmp")
_SECRETS = ("snmp_community", "snmp_auth_password", "snmp_priv_password")

_OPTIONS = (
    click.option(
        "--way",
        "ways",
        type=click.Choice(WAYS),
        multiple=True,
        help="A way that may be used, the best first; several times. Default: api, then rest, then snmp, as far as "
        "there are settings or the router says so.",
    ),
    click.option(
        "--rest-port",
        type=click.IntRange(1, 65535),
        help="Port of REST (RouterOS 7). Default: where the router says that www-ssl, or www, is.",
    ),
    click.option(
        "--rest-tls",
        "rest_tls_mode",
        type=click.Choice(TLS_MODES),
        help="As --tls, for REST. Default: as --tls.",
    ),
    click.option(
        "--rest-fingerprint",
        "rest_tls_fingerprint",
        help="As --fingerprint, for REST. Default: as --fingerprint.",
    ),
    click.option(
        "--snmp", "snmp_version", type=click.Choice(("2c", "3")), help="Version of SNMP. Default: no SNMP."
    ),
    click.option("--snmp-port", type=click.IntRange(1, 65535), help="UDP port of SNMP. Default: 161."),
    click.option(
        "--snmp-community",
        envvar="MTD_SNMP_COMMUNITY",
        help="Community of version 2c; better in the environment variable MTD_SNMP_COMMUNITY.",
    ),
    click.option("--snmp-user", "snmp_username", help="User of version 3."),
    click.option(
        "--snmp-auth", type=click.Choice(("none", "md5", "sha1")), help="How the user proves who it is."
    ),
    click.option(
        "--snmp-auth-password",
        envvar="MTD_SNMP_AUTH_PASSWORD",
        help="Password for that; better in the environment variable MTD_SNMP_AUTH_PASSWORD.",
    ),
    click.option(
        "--snmp-priv", type=click.Choice(("none", "des", "aes")), help="How its messages are encrypted."
    ),
    click.option(
        "--snmp-priv-password",
        envvar="MTD_SNMP_PRIV_PASSWORD",
        help="Password for that; better in the environment variable MTD_SNMP_PRIV_PASSWORD.",
    ),
)
_NAMES = frozenset(
    ("ways", "rest_port", "rest_tls_mode", "rest_tls_fingerprint", "snmp_version", "snmp_port")
) | {"snmp_username", "snmp_auth", "snmp_priv", *_SECRETS}


def way_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def way_settings_from(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, as settings of a device in the inventory.

    Secrets that stand in the environment are taken if there is a use for them.
    """
    given = {name: options[name] for name in _NAMES if options.get(name)}
    if "snmp_version" not in given:
        return {name: value for name, value in given.items() if name not in _SECRETS}
    needed = ("snmp_community",) if given["snmp_version"] == "2c" else _of_user(given)
    return {name: value for name, value in given.items() if name not in _SECRETS or name in needed}


def _of_user(given: Mapping[str, Any]) -> tuple[str, ...]:
    kinds = {"snmp_auth": "snmp_auth_password", "snmp_priv": "snmp_priv_password"}
    return tuple(secret for kind, secret in kinds.items() if given.get(kind, "none") != "none")
