"""Debian's Prometheus scrapes a daemon, and what it then answers is what mtd stored and what the routers did."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtd.lab.world import World
from mtd.testing.harness import Process, free_port
from mtd.testing.missing import skip_without
from mtd.testing.truth_check import COUNTER_PROPERTIES
from tests.e2e.kit import Rig, rig, wait_for
from tests.witnesses.boards import RULES, Asked, alerts, of_boards, of_rules

ROOT = Path(__file__).parents[2]
SCENARIO = """
[[router]]
name = "six"
version = "6.49.10"
interfaces = 12

[[router]]
name = "seven"
version = "7.16.2"
interfaces = 12
"""
ROUTERS = ("six", "seven")
GONE = "gone"
# Panels show what is read by each tier: none should be waited for.
QUICK = {"scheduler.intervals_s": {"t1": 2.0, "t2": 4.0}}
# Of a scrape, how long before its values were collected the router may have read them.
READ_BEFORE_US = 1_500_000

# Metric of mtd -> what Prometheus calls it
SERIES = {
    "iface.rx_bytes_total": "routeros_iface_rx_bytes_total",
    "iface.tx_packets_total": "routeros_iface_tx_packets_total",
    "iface.link_downs_total": "routeros_iface_link_downs_total",
    "iface.rx_bps": "routeros_iface_rx_bps",
    "iface.tx_errors_per_s": "routeros_iface_tx_errors_per_second",
    "iface.oper_state": "routeros_iface_oper_state",
    "system.cpu.load_pct": "routeros_system_cpu_load_ratio",
    "system.memory.free_bytes": "routeros_system_memory_free_bytes",
    "system.uptime_seconds": "routeros_system_uptime_seconds",
}


def tool(name: str) -> str:
    """Return the path of a program of Debian's package; skips, in continuous integration fails, without it."""
    unpacked = ROOT / ".venv" / "tools" / "usr" / "bin" / name
    found = str(unpacked) if unpacked.exists() else shutil.which(name)
    if found is None:
        skip_without(f"{name} is not installed: run scripts/setup_tools")
    return found


def promtool(*arguments: str, text: str = "") -> None:
    """Run promtool; it must find nothing wrong."""
    done = subprocess.run(
        [tool("promtool"), *arguments], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def config(http_port: int) -> str:
    """Return a configuration as docs/prometheus.md gives it, but for the pace."""
    door = f"127.0.0.1:{http_port}"
    return f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{RULES}"]
scrape_configs:
  - job_name: mtd
    static_configs: [{{targets: ["{door}"]}}]
  - job_name: all
    metrics_path: /metrics/devices
    static_configs: [{{targets: ["{door}"]}}]
  - job_name: each
    metrics_path: /probe
    http_sd_configs: [{{url: "http://{door}/sd", refresh_interval: 1s}}]
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__meta_mtd_name], target_label: instance}}
      - {{source_labels: [__meta_mtd_label_site], target_label: site}}
      - {{target_label: __address__, replacement: "{door}"}}
"""


@dataclass
class Prometheus:
    """A running Prometheus and the rig that it scrapes."""

    stage: Rig
    port: int

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what it answers now."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/api/v1/query?{query}", timeout=10
        ) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def api(self, what: str) -> Any:
        """Return what it answers about itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{what}", timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression: str, label: str) -> dict[str, float]:
        """Return the value of each series by one of its labels."""
        return {found["metric"].get(label, ""): float(found["value"][1]) for found in self.query(expression)}

    def own_metrics(self) -> dict[str, float]:
        """Return what it counts of itself, without what has labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {
            name: float(value)
            for name, _, value in (line.partition(" ") for line in lines)
            if value.replace(".", "").isdigit()
        }

    def is_ready(self) -> bool:
        """Return whether it answers."""
        try:
            self.query("up")
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    """Two routers, one that doesn't answer, and Prometheus after a few scrapes of them."""
    binary = tool("prometheus")
    with rig(SCENARIO, settings=QUICK) as stage, socket.create_server(("127.0.0.1", 0)) as reserved:
        stage.add_all(labels={"site": "Moss & Rock"})
        # From then on labels are names: a scrape before would have ids.
        named = "SELECT count(DISTINCT device) FROM interface"
        wait_for(lambda: stage.value(named) == len(ROUTERS), "names of interfaces", timeout_s=20)
        # Bound and never accepted from: nothing answers there while the test runs.
        dead = {
            **stage.routers["six"],
            "name": GONE,
            "host": "127.0.0.1",
            "port": reserved.getsockname()[1],
        }
        stage.add_devices([dead], connect_timeout_s=1.0, command_timeout_s=1.0)
        path = stage.folder / "prometheus.yml"
        path.write_text(config(stage.http_port))
        port = free_port()
        command = [
            binary,
            f"--config.file={path}",
            f"--storage.tsdb.path={stage.folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        process = Process("prometheus", command, stage.folder / "prometheus.log")
        process.start()
        try:
            running = Prometheus(stage, port)
            wait_for(running.is_ready, "Prometheus answers", timeout_s=30)
            yield running
        finally:
            process.stop()


def scrapes(prometheus: Prometheus, job: str, device: str) -> dict[float, list[dict[str, Any]]]:
    """Return what was scraped of a device lately: by time of the scrape, samples with labels and value."""
    found: dict[float, list[dict[str, Any]]] = {}
    for series in prometheus.query(f'{{job="{job}",device="{device}"}}[15s]'):
        for time_s, value in series["values"]:
            found.setdefault(time_s, []).append({**series["metric"], "value": float(value)})
    return found


def collected_us(samples: list[dict[str, Any]]) -> int:
    """Return when the live values of a scrape were collected, as it says itself."""
    (at_s,) = (
        sample["value"]
        for sample in samples
        if (sample["__name__"], sample.get("poll_group")) == ("routeros_poll_timestamp_seconds", "t0")
    )
    return round(at_s * 1e6)


def test_all_targets_are_found_and_scraped(prometheus: Prometheus) -> None:
    names = {*ROUTERS, GONE}
    wait_for(
        lambda: prometheus.values('up{job="each"} == 1', "instance").keys() == names, "all targets up", 30
    )
    wait_for(lambda: prometheus.values('up{job=~"mtd|all"} == 1', "job").keys() == {"mtd", "all"}, "up", 30)
    sites = {found["metric"]["site"] for found in prometheus.query('up{job="each",instance!="gone"}')}
    assert sites == {"Moss & Rock"}
    kept = "scrape_samples_scraped == scrape_samples_post_metric_relabeling"
    assert prometheus.values(kept, "job").keys() == {"mtd", "all", "each"}
    # No series twice in one answer, and none out of order.
    own = prometheus.own_metrics()
    assert own["prometheus_target_scrapes_sample_duplicate_timestamp_total"] == 0
    assert own["prometheus_target_scrapes_sample_out_of_order_total"] == 0


@pytest.mark.parametrize("job", ["all", "each"])
@pytest.mark.parametrize("device", ROUTERS)
def test_values_are_those_that_are_stored_and_true(prometheus: Prometheus, job: str, device: str) -> None:
    """Each scrape says when its values were collected: those of that moment are in PostgreSQL."""
    found = wait_for(
        lambda: taken if len(taken := scrapes(prometheus, job, device)) >= 3 else None, "scrapes", 30
    )
    world = World.from_state_file(prometheus.stage.lab_state_path)
    stored_at: set[int] = set()
    for samples in found.values():
        at_us = collected_us(samples)
        if at_us in stored_at:
            continue
        stored_at.add(at_us)
        compare(prometheus.stage, device, at_us, samples)
        check_truth(prometheus.stage, world, device, at_us)
    assert len(stored_at) >= 2


def compare(stage: Rig, device: str, at_us: int, samples: list[dict[str, Any]]) -> None:
    """Each value of these metrics is in the scrape, and is what PostgreSQL holds of that moment."""
    scraped = {(sample["__name__"], sample.get("interface", "")): sample["value"] for sample in samples}
    rows = stage.sql(
        "SELECT metric, CASE WHEN instance = '' THEN '' ELSE label END, value FROM telemetry"
        " WHERE device = %s AND ts = to_timestamp(0) + %s * interval '1 microsecond' AND metric = ANY (%s)"
        " AND value <> 'NaN'",
        device,
        at_us,
        list(SERIES),
    )
    assert len(rows) > 50, f"{device} at {at_us}: {len(rows)} rows"
    for metric, label, value in rows:
        expected = value / 100 if metric.endswith("_pct") else value
        got = scraped[SERIES[metric], label]
        # Rates are 32-bit floats: of those, nine digits are written.
        is_rate = metric.endswith(("_bps", "_per_s"))
        assert math.isclose(got, expected, rel_tol=5e-9) if is_rate else got == expected, (metric, label)
    served = {key for key in scraped if key[0] in SERIES.values()}
    assert served == {(SERIES[metric], label) for metric, label, _ in rows}


def check_truth(stage: Rig, world: World, device: str, at_us: int) -> None:
    """The stored counters are those that the lab's router had at one moment before they were collected."""
    counters: dict[str, dict[str, int]] = {}
    for metric, instance, value in stage.sql(
        "SELECT metric, instance, value_int FROM telemetry WHERE device = %s AND lane = 'counter'"
        " AND ts = to_timestamp(0) + %s * interval '1 microsecond' AND value_int IS NOT NULL",
        device,
        at_us,
    ):
        counters.setdefault(instance, {})[COUNTER_PROPERTIES[metric]] = value
    assert counters
    first, last = world.clock.tick_at(at_us - READ_BEFORE_US), world.clock.tick_at(at_us)
    assert world.router(device).match(counters, first, last) is not None


def test_a_router_that_does_not_answer_is_told(prometheus: Prometheus) -> None:
    """It has no values, but its state and why; the others have both."""

    def known() -> bool:
        states = prometheus.values('routeros_up{job="all"}', "device")
        return states == dict.fromkeys(ROUTERS, 1.0) | {GONE: 0.0}

    wait_for(known, "routeros_up of all", timeout_s=30)
    wait_for(
        lambda: prometheus.query(f'routeros_status_info{{job="all",device="{GONE}",status="down",reason!=""}} == 1'),
        "the reason",
        timeout_s=30,
    )  # fmt: skip
    assert not prometheus.query(f'{{__name__=~"routeros_(iface|system).*",device="{GONE}"}}')
    ages = prometheus.values('routeros_poll_age_seconds{job="all",poll_group="t0"}', "device")
    assert ages.keys() == set(ROUTERS)


def test_rules_are_evaluated_without_an_error(prometheus: Prometheus) -> None:
    """By a real Prometheus, over what a real daemon serves; and what is recorded is there."""

    def all_ok() -> list[dict[str, Any]]:
        rules = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
        assert not [rule for rule in rules if rule.get("lastError")]
        return rules if all(rule["health"] == "ok" for rule in rules) else []

    rules = wait_for(all_ok, "all rules evaluated", timeout_s=30)
    assert len(rules) == len(list(of_rules()))
    for name, _ in of_rules():
        if ":" in name:
            wait_for(lambda name=name: prometheus.query(name), name, timeout_s=30)
    firing = {rule["name"] for rule in rules if rule.get("state") == "firing"}
    assert not firing & {"MtdEventsLost", "MtdLogUnavailable", "MtdErrorBudgetBurnsFast", "MtdHubUnreachable"}


# What a daemon without edges, without TLS and without trouble has nothing to show for.
NOTHING_YET = (
    "mtd_forwarding_",
    "mtd_ingest_append_",
    "mtd_link_",
    "mtd_slo_",
    "mtd_coordination_moves_total",
    "mtd_pressure_held_back_",
    "mtd_app_collectors_refused_total",
    "mtd_api_access_refused_total",
    "mtd_core_task_failures_total",
    "mtd_scheduler_polls_failed_total",
    "mtd_scheduler_polls_skipped_total",
    "mtd_eventlog_failed_batches_total",
    "mtd_ingest_dropped_events_total",
    "mtd_projections_dead_letters_total",
    "mtd_projections_events_dropped_total",
    "mtd_projections_retries_total",
    "mtd_storage_transaction_failures_total",
)


def test_dashboards_ask_what_prometheus_answers(prometheus: Prometheus) -> None:
    """Each expression of each panel is understood, and shows something."""
    waiting = list(of_boards())
    assert len(waiting) > 80

    def shown(asked: Asked) -> bool:
        found = prometheus.query(asked.filled())
        return bool(found) or all(name.startswith(NOTHING_YET) for name in asked.names)

    def all_shown() -> bool:
        waiting[:] = [asked for asked in waiting if not shown(asked)]
        return not waiting

    with contextlib.suppress(AssertionError):  # what is left says more
        wait_for(all_shown, "panels with data", timeout_s=60, every_s=0.5)
    assert not waiting


def test_values_of_a_router_that_falls_silent_end_and_its_age_grows(prometheus: Prometheus) -> None:
    """Last in this module: the router stays away."""
    stage = prometheus.stage
    with stage.control() as control:
        control.inject("six", "black-hole")
    limit_s = 10.0  # the least that values are served for
    age = 'routeros_poll_age_seconds{job="all",device="six",poll_group="t0"}'
    wait_for(lambda: prometheus.query(f"{age} > {limit_s}"), "its age grows", timeout_s=40)
    wait_for(
        lambda: not prometheus.query('routeros_iface_rx_bytes_total{job="all",device="six"}'),
        "its values end",
        timeout_s=10,
    )
    assert prometheus.query('routeros_iface_rx_bytes_total{job="all",device="seven"}')
    wait_for(
        lambda: prometheus.values('routeros_up{job="each"}', "device").get("six") == 0.0, "it is down", 30
    )


def test_promtool_finds_nothing_wrong(prometheus: Prometheus) -> None:
    stage = prometheus.stage
    promtool("check", "metrics", text=stage.http("/metrics"))
    promtool("check", "metrics", text=stage.http("/metrics/devices"))
    promtool("check", "metrics", text=stage.http("/probe?target=seven"))
    promtool("check", "config", str(stage.folder / "prometheus.yml"))


def test_the_shipped_configuration_is_valid(tmp_path: Path) -> None:
    """``etc/prometheus`` as it is, and each of its alerts at work."""
    promtool("check", "config", str(ROOT / "etc" / "prometheus" / "prometheus.yml"))
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    raised: set[str] = set()
    for path in sorted(Path(__file__).parent.glob("rules*.test.yml")):
        text = path.read_text()
        (tmp_path / path.name).write_text(text.replace("RULES", str(RULES)))
        promtool("test", "rules", str(tmp_path / path.name))
        for case in yaml.safe_load(text)["tests"]:
            raised |= {one["alertname"] for one in case["alert_rule_test"] if one["exp_alerts"]}
    assert raised == alerts(), "an alert that no test raises"
