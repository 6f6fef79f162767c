"""A daemon with TLS on both doors, out in the network; a collector that enrols; a CA that is rotated beside it."""

from __future__ import annotations

import json

from tests.e2e.kit import folder, wait_for
from tests.e2e.secure_kit import SecureRig


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
        # By the new one alone. A look in the middle of a rotation takes the CAs first, the certificate at the next look.
        wait_for(lambda: stage.trusts("device", "list"), "the door shows the new CA's certificate", 15)

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
