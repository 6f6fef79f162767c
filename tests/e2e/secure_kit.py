"""A daemon whose doors speak TLS, with certificates of its own CA."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from mtd.cli import main
from mtd.testing.harness import free_port
from tests.e2e.kit import QUICK_POSTGRES, Rig


class SecureRig(Rig):
    """Its doors speak TLS, with certificates of the internal CA."""

    def __init__(self, where: Path, settings: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.client_port = free_port()
        tls = {"mode": "internal", "reload_interval_s": 0.2}
        super().__init__(
            where,
            settings={
                "grpc": {"host": "0.0.0.0"},
                "grpc.tls": {**tls, "client_port": self.client_port},
                "http": {"host": "0.0.0.0"},
                "http.tls": tls,
                "security": {"trust_loopback": True},
                **QUICK_POSTGRES,
                **(settings or {}),
            },
        )

    @property
    def ca_file(self) -> Path:
        return self.folder / "hub-ca.pem"

    @property
    def console_url(self) -> str:
        return f"https://127.0.0.1:{self.http_port}/console/"

    def http(self, path: str) -> str:
        generations = sorted((self.data_dir / "ca").glob("[0-9]*/authority.pem"))
        context = ssl.create_default_context(cadata=generations[0].read_text()) if generations else None
        url = f"https://localhost:{self.http_port}{path}"
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            body: bytes = answer.read()
        return body.decode()

    def ask(self, *words: str, code: int = 0, **environment: str) -> str:
        """Call a command in this process, which is quicker."""
        result = self._call(words, environment)
        assert result.exit_code == code, result.output
        return result.output if code else result.stdout

    def trusts(self, *words: str) -> bool:
        """Return whether a command is answered; a failure of anything but trust between the two fails the test."""
        result = self._call(words, {})
        assert result.exit_code == 0 or "don't trust each other" in result.output, result.output
        return result.exit_code == 0

    def _call(self, words: tuple[str, ...], environment: Mapping[str, str]) -> Result:
        given = {
            "MTD_SERVER": self.server,
            "MTD_CONFIG": str(self.config_path),
            "MTD_CA_FILE": str(self.ca_file),
            "COLUMNS": "200",
            **environment,
        }
        return CliRunner(env=given).invoke(main, words)
