"""Every error of a configuration is reported at once, with its place and what to do."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from mtd.core.config import ConfigInvalid, load_config


class Door(BaseModel):
    model_config = ConfigDict(extra="forbid")
    port: int = Field(default=1, ge=1, le=65535)
    host: str = "127.0.0.1"


class Sample(BaseModel):
    model_config = ConfigDict(extra="forbid")
    grpc: Door = Field(default_factory=Door)
    http: Door = Field(default_factory=Door)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mtd.toml"
    path.write_text(text)
    return path


def test_defaults_without_a_file() -> None:
    assert load_config(Sample, None, {}).grpc.port == 1


def test_all_problems_at_once_with_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "[grpc]\nport = 70000\nprot = 3\n\n[http]\nport = 'x'\n[smtp]\n")
    with pytest.raises(ConfigInvalid) as caught:
        load_config(Sample, path, {})
    found = {(problem.where, problem.key) for problem in caught.value.problems}
    assert found == {
        (f"{path}:2", "grpc.port"),
        (f"{path}:3", "grpc.prot"),
        (f"{path}:6", "http.port"),
        (f"{path}:7", "smtp"),
    }
    unknown = next(problem for problem in caught.value.problems if problem.key == "grpc.prot")
    assert "known here: host, port" in unknown.message


def test_broken_toml_tells_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "[grpc]\nport = \n")
    with pytest.raises(ConfigInvalid, match=r"mtd\.toml:2: isn't TOML"):
        load_config(Sample, path, {})


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="--config"):
        load_config(Sample, tmp_path / "none.toml", {})


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[grpc]\nport = 5\n")
    assert load_config(Sample, path, {"MTD__GRPC__PORT": "6"}).grpc.port == 6


def test_a_wrong_value_from_the_environment_names_the_variable() -> None:
    with pytest.raises(ConfigInvalid, match="MTD__GRPC__PORT"):
        load_config(Sample, None, {"MTD__GRPC__PORT": "many"})


class Store(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dsn: SecretStr = SecretStr("")
    dsn_file: Path | None = None
    pool_size: int = 1

    @model_validator(mode="after")
    def _one(self) -> "Store":
        if self.dsn.get_secret_value() and self.dsn_file is not None:
            raise ValueError("set dsn or dsn_file, not both")
        return self


class WithSecret(Sample):
    store: Store = Field(default_factory=Store)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[store]\ndsn = 'user=u password=TOPSECRET'\ndsn_file = 'x'\n", "store"),
        ("store = 'host=h password=TOPSECRET'\n", "store"),
        ("[store]\ndsn = ['TOPSECRET']\n", "store.dsn"),
        ("[store]\ndsn = 17236451\n", "store.dsn"),
        ("[store]\npool_size = 'postgresql://u:TOPSECRET@h/db'\n", "store.pool_size"),
        ("[store]\ndns = 'postgresql://u:TOPSECRET@h/db'\n", "store.dns"),
        ("[grpc]\nport = 'postgresql://u:TOPSECRET@h/db'\n", "grpc.port"),
    ],
)
def test_no_problem_tells_a_secret(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load_config(WithSecret, write(tmp_path, text), {})
    (problem,) = caught.value.problems
    assert problem.key == key
    assert "TOPSECRET" not in str(caught.value)
    assert "17236451" not in str(caught.value)


def test_a_secret_of_the_environment_is_not_told_either() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load_config(WithSecret, None, {"MTD__STORE": "password=TOPSECRET"})
    assert "MTD__STORE: store" in str(caught.value)
    assert "TOPSECRET" not in str(caught.value)


def test_what_is_no_secret_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"got 70000"):
        load_config(WithSecret, write(tmp_path, "[grpc]\nport = 70000\n"), {})


def test_variables_without_a_place_hide_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, "[grpc]\nport = 70000\n[http]\nhost = 5\n")
    variables = {"MTD__GRPC__PORT__DEEP": "1", "MTD__HTTP": "2", "MTD__HTTP__PORT": "x"}
    with pytest.raises(ConfigInvalid) as caught:
        load_config(Sample, path, variables)
    found = {(problem.where, problem.key) for problem in caught.value.problems}
    assert found == {
        ("MTD__GRPC__PORT__DEEP", "grpc.port.deep"),
        ("MTD__HTTP", "http"),
        ("MTD__HTTP__PORT", "http.port"),
        (f"{path}:2", "grpc.port"),
        (f"{path}:4", "http.host"),
    }
