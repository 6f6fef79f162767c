"""A daemon with TLS on both doors, out in the network; a collector that enrols; a CA that is rotated beside it."""

from __future__ import annotations

import json
import ssl
import urllib.request
from pathlib import Path

from click.testing import CliRunner

from mtd.cli import main
from mtd.testing.harness import free_port
from tests.e2e.kit import QUICK_POSTGRES, Rig, folder, wait_for


class SecureRig(Rig):
    """Its doors speak TLS, with certificates of the internal CA."""

    def __init__(self, where: Path) -> None:
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
            },
        )

    @property
    def ca_file(self) -> Path:
        return self.folder / "hub-ca.pem"

    def http(self, path: str) -> str:
        generations = sorted((self.data_dir / "ca").glob("[0-9]*/authority.pem"))
        context = ssl.create_default_context(cadata=generations[0].read_text()) if generations else None
        url = f"https://localhost:{self.http_port}{path}"
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            body: bytes = answer.read()
        return body.decode()

    def ask(self, *words: str, code: int = 0, **environment: str) -> str:
        """Call a command in this process, which is quicker."""
        given = {
            "MTD_SERVER": self.server,
            "MTD_CONFIG": str(self.config_path),
            "MTD_CA_FILE": str(self.ca_file),
            "COLUMNS": "200",
            **environment,
        }
        result = CliRunner(env=given).invoke(main, words)
        assert result.exit_code == code, result.output
        return result.output if code else result.stdout


def test_from_the_first_start_to_the_next_ca() -> None:
    with folder() as where, SecureRig(where) as stage:
        stage.start_daemon()
        stage.ca_file.write_text(stage.ask("ca", "show", "--pem"))
        assert json.loads(stage.ask("device", "list", "--json")) == []
        assert "ask for TLS" in stage.ask("device", "list", code=1, MTD_CA_FILE="")

        edge = where / "edge.toml"
        edge.write_text(f'[daemon]\ndata_dir = "{where / "edge"}"\n')
        token = where / "token"
        stage.ask("collector", "invite", "edge-1", "--out", str(token))
        enrolled = json.loads(
            stage.ask("enroll", "--token-file", str(token), "--json", MTD_CONFIG=str(edge), MTD_CA_FILE="")
        )
        assert enrolled["hub"] == f"127.0.0.1:{stage.client_port}"
        identity = where / "edge" / "identity" / "1"
        shown = {
            "MTD_SERVER": enrolled["hub"],
            "MTD_CERTIFICATE": str(identity / "certificate.pem"),
            "MTD_KEY": str(identity / "key.pem"),
            "MTD_CA_FILE": str(identity / "ca.pem"),
        }
        assert "isn't for collectors" in stage.ask("device", "list", code=1, **shown)

        stage.ask("ca", "rotate")
        taken = 'mtd_api_tls_reloads_total{door="grpc",result="ok"}'
        wait_for(lambda: stage.metric(taken) >= 2, "the new CA taken", 15)
        stage.ask("device", "list")  # by the CA before
        stage.ca_file.write_text(
            stage.ask("ca", "show", "--pem").partition("-----END CERTIFICATE-----\n")[0]
            + "-----END CERTIFICATE-----\n"
        )
        stage.ask("device", "list")  # by the new one alone

        revoked = json.loads(stage.ask("collector", "revoke", "edge-1", "--json"))
        assert revoked["revoked"] == 1
        assert "was revoked" in stage.ask("device", "list", code=1, **shown)
        assert stage.metric("mtd_app_collectors_refused_total") == 1
        said = stage.sql(
            "SELECT action, outcome FROM audit_entry WHERE action LIKE 'ca.%' OR action = 'collector.enroll'"
            " ORDER BY position"
        )
        assert said == [("collector.enroll", "OK"), ("ca.rotate", "STARTED"), ("ca.rotate", "OK")]
        log = (where / "daemon.log").read_text()
        assert "PRIVATE KEY" not in log
        assert "mtde_" not in log
