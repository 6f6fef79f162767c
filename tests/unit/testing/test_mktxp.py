"""The configuration that mktxp is given."""

from pathlib import Path

import pytest

from mtd.testing.mktxp import Target, write_config

ROUTER = Target("edge", "127.0.0.1", 8729, "mtd", 'with "quotes", #', tls="anonymous", plain_login=False)


def test_it_reads_what_it_is_told_and_nothing_else(tmp_path: Path) -> None:
    write_config(tmp_path, [ROUTER], listen_port=9, reads=["interface"])
    lines = [line.strip() for line in (tmp_path / "mktxp.conf").read_text().splitlines()]
    assert lines[: lines.index("")] == [
        "[edge]",
        'hostname = "127.0.0.1"',
        "port = 8729",
        'username = "mtd"',
        "password = 'with \"quotes\", #'",
        "use_ssl = True",
        "no_ssl_certificate = True",
        "plaintext_login = False",
    ]
    rest = lines[lines.index("[default]") + 1 :]
    assert [line for line in rest if line.endswith("True")] == ["enabled = True", "interface = True"]
    assert 'listen = "127.0.0.1:9"' in (tmp_path / "_mktxp.conf").read_text()


def test_what_it_would_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no switch"):
        write_config(tmp_path, [ROUTER], listen_port=9, reads=["interfaces"])
    both = Target("edge", "127.0.0.1", 8728, "mtd", "'\"")
    with pytest.raises(ValueError, match="quotes"):
        write_config(tmp_path, [both], listen_port=9)
