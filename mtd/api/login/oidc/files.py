"""The files that section oidc names."""

from __future__ import annotations

from pathlib import Path

from mtd.api.login.config import OidcConfig
from mtd.core.errors import Misconfigured


def read_oidc_files(config: OidcConfig) -> tuple[str, bytes]:
    """Return the secret of the client, and certificates, as the configuration names them. Raises Misconfigured."""
    secret = _read("oidc.client_secret_file", config.client_secret_file).decode("utf-8", "replace").strip()
    return secret or config.client_secret.get_secret_value(), _read("oidc.ca_file", config.ca_file)


def _read(setting: str, path: Path | None) -> bytes:
    if path is None:
        return b""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{setting}: {path} can't be read: {error.strerror}") from None
