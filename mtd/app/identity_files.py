"""By what a collector is known to its hub: key, certificate, and whom it trusts. Blocking.

Each generation holds all of them, so that a crash never leaves a key without its certificate.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtd.client.collectors import Issued
from mtd.client.credentials import Credentials, credentials_for
from mtd.core.errors import Misconfigured
from mtd.security.ca import pin_of
from mtd.security.certificates import Facts, facts_of, fits, load_certificates, load_key
from mtd.security.errors import CertificateUnusable
from mtd.security.generations import Generations

_KEY, _CERTIFICATE, _CA, _ABOUT = "key.pem", "certificate.pem", "ca.pem", "identity.json"
_KEPT = 2


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this collector is at its hub.

    ``target``: where it calls. Without a ``ca_file`` the hub has to be known to the public CAs; with ``own_ca`` it
    is a copy of a file that the operator gave, which a renewal leaves alone.
    """

    collector_id: str
    name: str
    tenant_ids: Sequence[str]
    target: str
    key_file: Path
    certificate_file: Path
    ca_file: Path | None
    own_ca: bool
    facts: Facts

    def credentials(self) -> Credentials:
        """Return what a client shows the hub. Raises MtdClientError if the files are gone."""
        return credentials_for(
            self.target,
            tls=True,
            ca_file=self.ca_file,
            certificate_file=self.certificate_file,
            key_file=self.key_file,
        )


@dataclass(frozen=True, slots=True)
class Trust:
    """How a collector knows its hub: by the hub's own CA, by another (``ca``), or by the public ones."""

    ca: bytes = b""
    public: bool = False


HUBS_OWN = Trust()


class IdentityFiles:
    """Keeps the identity in a folder."""

    def __init__(self, folder: Path) -> None:
        self._generations = Generations(folder)

    @property
    def folder(self) -> Path:
        """The folder."""
        return self._generations.folder

    def load(self) -> Identity | None:
        """Return the identity; None if this collector never enrolled. Raises CertificateUnusable, Misconfigured."""
        newest = self._generations.newest()
        return None if newest is None else _load(newest)

    def store(self, key: bytes, issued: Issued, target: str, trust: Trust) -> Identity:
        """Keep what a hub gave, all of it or nothing. Raises CertificateUnusable for what can't be right."""
        _check(key, issued)
        about = {
            "collector_id": issued.collector_id,
            "name": issued.collector_name,
            "tenant_ids": list(issued.tenant_ids),
            "target": target,
            "own_ca": bool(trust.ca),
        }
        files = {
            _KEY: key,
            _CERTIFICATE: issued.certificate_chain,
            _ABOUT: json.dumps(about, indent=2).encode() + b"\n",
        }
        if not trust.public:
            files[_CA] = trust.ca or issued.authorities
        with self._generations.locked():
            made = self._generations.add(files)
            self._generations.drop_before(_KEPT)
        return _load(made)


def trusts(authorities: bytes, pin: str) -> bool:
    """Return whether one of the CAs is that of a token."""
    return any(pin_of(one) == pin for one in load_certificates(authorities, "what the hub calls its CAs"))


def collector_target(server: str, port: int) -> str:
    """Return where a collector calls, by where it enrolled and the port that the hub told; 0: the same."""
    if not port:
        return server
    host, colon, last = server.rpartition(":")
    return f"{host}:{port}" if colon and last.isdecimal() else f"{server}:{port}"


def _check(key: bytes, issued: Issued) -> None:
    leaf = load_certificates(issued.certificate_chain, "what the hub gave as a certificate")[0]
    load_certificates(issued.authorities, "what the hub calls its CAs")
    if not fits(load_key(key, "the key"), leaf):
        raise CertificateUnusable("the hub gave a certificate for another key than the one it was asked for")
    if facts_of(leaf).collector_id != issued.collector_id:
        raise CertificateUnusable("the hub gave a certificate for another collector")


def _load(generation: Path) -> Identity:
    try:
        about = json.loads((generation / _ABOUT).read_text(encoding="utf-8"))
        leaf = load_certificates((generation / _CERTIFICATE).read_bytes(), str(generation / _CERTIFICATE))[0]
        ca = generation / _CA
        return Identity(
            about["collector_id"],
            about["name"],
            tuple(about["tenant_ids"]),
            about["target"],
            generation / _KEY,
            generation / _CERTIFICATE,
            ca if ca.exists() else None,
            bool(about["own_ca"]),
            facts_of(leaf),
        )
    except OSError as error:
        raise Misconfigured(
            f"{generation} can't be read ({error.strerror}): run mtd as its owner, or enrol again (mtd enroll --replace)"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise Misconfigured(f"{generation} is damaged: enrol again (mtd enroll --replace)") from None
