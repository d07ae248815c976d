"""Dashboard and alert rules speak of figures that are there."""

import json
import re

import pytest
import yaml
from prometheus_client import generate_latest

from headrace.inference.server import Replica
from headrace.inference.settings import InferenceSettings

from .conftest import CONTAINERS, ROOT, SERVICES

FOLDER = ROOT / "infra/observability"
ALERTS = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((FOLDER / "grafana/dashboards/headrace.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
OTHERS = {"up", "process_resident_memory_bytes"}  # Prometheus' own, and its library's
NAME = re.compile(r"\b(?:headrace_[a-z_]+|up\b|process_[a-z_]+)")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all figures that services and replicas show."""
    from headrace.chassis.metrics import exposition
    from headrace.monitor import gauges

    assert gauges.QUALITY
    replica = Replica(InferenceSettings(cache_dir=tmp_path_factory.mktemp("replica")))
    pages = exposition()[0] + generate_latest(replica._registry)
    replica.wal.close()
    kinds = re.findall(r"^# TYPE (\S+) (\S+)$", pages.decode(), re.MULTILINE)
    histograms = {
        f"{name}_{part}" for name, kind in kinds if kind == "histogram" for part in ("bucket", "sum", "count")
    }
    return {name for name, _ in kinds} | histograms | OTHERS


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in ALERTS)])
def test_a_query_asks_for_what_is_exported(query: str, exported: set[str]) -> None:
    """A panel without data, or an alert that never fires, would be found out too late."""
    asked = set(NAME.findall(re.sub(r"by \([^)]*\)|\{[^}]*\}", "", query)))

    assert asked
    assert asked <= exported


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in ALERTS)])
def test_a_query_is_closed(query: str) -> None:
    """As many brackets as were opened."""
    assert all(query.count(opened) == query.count(closed) for opened, closed in ("()", "[]", "{}"))


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    """How urgent it is, what is wrong, and the first step."""
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["action"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_reads_from_the_data_source_that_is_provisioned(panel: dict[str, object]) -> None:
    """And says what it shows, and in which unit."""
    source = yaml.safe_load((FOLDER / "grafana/datasources/prometheus.yml").read_text())["datasources"][0]

    assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
    assert panel["description"]
    assert "unit" in str(panel["fieldConfig"])


def test_every_service_is_asked() -> None:
    """A new folder in services/ needs its target; replicas are found by their name."""
    jobs = {job["job_name"]: job for job in yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]}

    assert set(jobs["services"]["static_configs"][0]["targets"]) == {f"{service}:8080" for service in SERVICES}
    assert jobs["inference"]["dns_sd_configs"][0]["names"] == ["inference"]
    assert "inference" in CONTAINERS["inference-1"]["networks"]["bus"]["aliases"]
    assert "bus" in CONTAINERS["prometheus"]["networks"]


def test_the_figures_are_kept_out_of_the_default_run() -> None:
    """They start with their profile alone, on loopback, with a password that was made here."""
    for name in ("prometheus", "grafana"):
        assert CONTAINERS[name]["profiles"] == ["observability"]
    assert CONTAINERS["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/headrace/password"


def test_the_mounted_paths_are_those_that_are_read() -> None:
    """Rules and dashboards lie where their configurations look for them."""
    rules = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["rule_files"]
    provider = yaml.safe_load((FOLDER / "grafana/dashboards/provider.yml").read_text())["providers"][0]

    assert [f"./infra/observability/alerts.yml:{rule}:ro" for rule in rules] == CONTAINERS["prometheus"]["volumes"][1:2]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"
    assert "./infra/observability/grafana:/etc/grafana/provisioning:ro" in CONTAINERS["grafana"]["volumes"]
