"""The alerts, asked of Prometheus' own rule tester: each fires in its case and stays silent in its counter-cases."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from matchmaking.commands.observability import files
from matchmaking.telemetry.alerts import RUNBOOKS, groups, pool_alerts, service_alerts
from matchmaking.telemetry.metrics import METRICS, series
from telemetry.alert_cases import CASES, Case

CHART = Path(__file__).parents[2] / "charts" / "game-session-manager"
ALERTS = {alert.name: alert for alert in (*pool_alerts(), *service_alerts())}
FOREIGN = {"keda_scaled_job_errors_total", "kube_job_status_failed", "kube_job_owner"}  # KEDA's, kube-state-metrics'


@pytest.fixture(scope="module")
def promtool() -> str:
    """Prometheus' rule tester; never skipped in CI."""
    found = shutil.which("promtool")
    if found is None and not os.environ.get("CI"):
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    assert found is not None, "CI must have promtool"
    return found


def described(case: Case, values: dict[str, str], *, fires: bool) -> dict[str, Any]:
    alert = ALERTS[case.alert]
    expected = [{"exp_labels": {"severity": alert.severity, **case.labels}}] if fires else []
    return {
        "name": case.alert,
        "interval": "1m",
        "input_series": [{"series": name, "values": shown} for name, shown in values.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}],
    }


def without_annotations(text: str) -> str:
    """promtool compares annotations too; what they say is looked at by another test."""
    rules = yaml.safe_load(text)
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("annotations", None)
    return yaml.safe_dump(rules)


def ask(promtool: str, folder: Path, tests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    names = []
    for name, text in files().items():
        if name.endswith(".yaml"):
            names.append(Path(name).name)
            (folder / names[-1]).write_text(without_annotations(text))
    file = folder / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": names, "evaluation_interval": "1m", "tests": tests}))
    return subprocess.run([promtool, "test", "rules", file.name], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_the_alert_fires_and_stays_silent(promtool: str, tmp_path: Path, case: Case) -> None:
    assert case.silent, "a counter-case belongs to each alert"
    tests = [described(case, case.fires, fires=True), *(described(case, values, fires=False) for values in case.silent.values())]
    answer = ask(promtool, tmp_path, tests)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_case_that_should_fire_and_does_not_is_noticed(promtool: str, tmp_path: Path) -> None:
    """The tester tests: without the series nothing fires, and promtool says so."""
    assert ask(promtool, tmp_path, [described(CASES[0], {"up": "1x600"}, fires=True)]).returncode == 1


def test_every_alert_has_a_case_and_a_runbook() -> None:
    assert {case.alert for case in CASES} == set(ALERTS)
    pages = {page.stem: page.read_text() for page in (CHART / "runbooks").glob("*.md")}
    assert pages.keys() == ALERTS.keys()
    for name, page in pages.items():
        assert page.startswith(f"# {name}\n"), name
        assert "\n## Look\n" in page, name
        assert "\n## Do\n" in page, name
        for link in re.findall(r"\]\((\w+)\.md\)", page):
            assert link in pages, f"{name} leads to {link}"


def test_alerts_only_ask_for_metrics_that_are_exported() -> None:
    exported = {name for metric in METRICS for name in series(metric)}
    for alert in ALERTS.values():
        asked = set(re.findall(r"\b((?:game|matchmaking|keda|kube)_\w+)", alert.expr))
        assert asked, alert.name
        assert asked <= exported | FOREIGN, alert.name


def test_the_checked_in_files_are_what_the_code_says(promtool: str) -> None:
    for name, text in files().items():
        assert (CHART / name).read_text() == text, "run: matchmaking observability"
    rules = [str(CHART / name) for name in files() if name.endswith(".yaml")]
    answer = subprocess.run([promtool, "check", "rules", *rules], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_pools_own_alerts_ask_for_that_pool_only() -> None:
    (group,) = groups("matchmaking-duel", pool_alerts("duel"), {"pool": "duel"})
    for rule in group["rules"]:
        selectors = re.findall(r"game_\w+\{([^}]*)\}", rule["expr"])
        assert selectors
        assert len(selectors) == len(re.findall(r"game_\w+", rule["expr"])), "every metric has a selector"
        assert all('pool="duel"' in selector for selector in selectors)
        assert rule["labels"]["pool"] == "duel"
        assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}/{rule['alert']}.md"
