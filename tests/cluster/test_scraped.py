"""A Prometheus in the cluster finds gateways and the operator as the chart's PodMonitor says, and every panel of the dashboards shows data."""

import asyncio
import json
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import yaml

from matchmaking.client import Client, JoinRefusedError
from support.cluster import CHART, Manifest, Namespace, eventually, eventually_async, helm, pool, run
from support.panels import panel_queries
from support.release import NAME, Release, matched, player, values

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
IMAGE = "localhost/prometheus:2"
WITHIN = 300.0  # s until every panel must have shown data; says nothing about speed
SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod_monitor(namespace: str) -> Manifest:
    """The chart's PodMonitor."""
    chosen = values(monitoring={"podMonitor": {"enabled": True, "interval": "2s"}})
    words = [
        "template",
        NAME,
        str(CHART),
        "-n",
        namespace,
        "--kube-version",
        "1.33",
        "--set",
        "keda.require=false",
        "--show-only",
        "templates/monitoring.yaml",
    ]
    (found,) = [each for each in yaml.safe_load_all(helm(*words, values=[chosen])) if each and each["kind"] == "PodMonitor"]
    return dict(found)


def found_by(monitor: Manifest) -> list[Manifest]:
    """Headless services that find the pods and the port that the PodMonitor selects: Debian's Prometheus knows DNS, and not the API server."""
    selector = monitor["spec"]["selector"]
    (either,) = [each for each in selector["matchExpressions"] if each["operator"] == "In"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"seen-{value}"},
            "spec": {
                **spec,
                "selector": {**selector["matchLabels"], either["key"]: value},
                "ports": [{"name": "metrics", "port": 9090, "targetPort": endpoint["port"]}],
            },
        }
        for value in either["values"]
    ]


def scrape_config(monitor: Manifest, namespace: str) -> Manifest:
    """What finds and scrapes the pods of those services."""
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    names = [f"_metrics._tcp.{service['metadata']['name']}.{namespace}.svc.cluster.local" for service in found_by(monitor)]
    return {
        "job_name": "pods",
        "scrape_interval": endpoint["interval"],
        "dns_sd_configs": [{"names": names, "type": "SRV", "refresh_interval": "2s"}],
    }


def prometheus_objects(namespace: str) -> list[Manifest]:
    """A Prometheus, and the services by which it finds what it scrapes."""
    monitor = pod_monitor(namespace)
    meta: Manifest = {"metadata": {"name": "prometheus"}}
    rules = [CHART / "files" / "pool-alerts.yaml", CHART / "files" / "alerts" / "service.yaml"]
    config = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
        "rule_files": ["/etc/prometheus-test/*.rules.yaml"],
        "scrape_configs": [scrape_config(monitor, namespace)],
    }
    files = {"prometheus.yml": json.dumps(config), **{f"{rule.stem}.rules.yaml": rule.read_text() for rule in rules}}
    return [
        *found_by(monitor),
        {"apiVersion": "v1", "kind": "ConfigMap", **meta, "data": files},
        {"apiVersion": "v1", "kind": "Service", **meta, "spec": {"selector": {"app": "prometheus"}, "ports": [{"port": 9090}]}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "prometheus", "labels": {"app": "prometheus"}},
            "spec": {
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
                "securityContext": SECURITY,
                "containers": [
                    {
                        "name": "prometheus",
                        "image": IMAGE,
                        "imagePullPolicy": "Never",
                        "command": ["prometheus"],
                        "args": ["--config.file=/etc/prometheus-test/prometheus.yml", "--storage.tsdb.path=/data"],
                        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
                        "volumeMounts": [{"name": "config", "mountPath": "/etc/prometheus-test"}, {"name": "data", "mountPath": "/data"}],
                    }
                ],
                "volumes": [{"name": "config", "configMap": {"name": "prometheus"}}, {"name": "data", "emptyDir": {}}],
            },
        },
    ]


class Asked:
    """A Prometheus by its API."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer."""
        with urllib.request.urlopen(f"{self._address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, query: str) -> list[float]:
        """The values of an instant query, NaNs left out."""
        numbers = [float(series["value"][1]) for series in self.ask("query", query=query)["result"]]
        return [number for number in numbers if number == number]


@pytest.fixture(scope="module")
def prometheus(release: Release) -> Iterator[Asked]:
    namespace: Namespace = release.namespace
    namespace.apply(*prometheus_objects(namespace.name))
    try:
        namespace.kubectl("wait", "pod/prometheus", "--for=condition=Ready", "--timeout=120s")
        with namespace.reach("prometheus", 9090) as (host, port):
            yield Asked(f"http://{host}:{port}")
    finally:
        namespace.kubectl("delete", "pod,configmap", "prometheus", "--ignore-not-found", "--timeout=60s")
        services = [
            each["metadata"]["name"] for each in namespace.all("services") if each["metadata"]["name"].startswith(("seen-", "prometheus"))
        ]
        namespace.kubectl("delete", "service", *services, "--timeout=60s")


def address(instance: str) -> str:
    """The address in a pod's DNS name, which begins with it."""
    return instance.split(".", maxsplit=1)[0].replace("-", ".")


def test_gateways_and_the_operator_are_found_and_nobody_else(release: Release, prometheus: Asked) -> None:
    def scraped() -> list[str]:
        targets = prometheus.ask("targets", state="active")["activeTargets"]
        return sorted(address(target["labels"]["instance"]) for target in targets if target["health"] == "up")

    def wanted() -> list[str]:
        return sorted(pod["status"]["podIP"] for component in ("gateway", "operator") for pod in release.namespace.pods(component))

    eventually("all are scraped", lambda: len(wanted()) >= 3 and scraped() == wanted())


@asynccontextmanager
async def life(release: Release, url: str) -> AsyncIterator[None]:
    """Players who meet, one who waits, one who comes and goes and asks for what is refused; and a ScaledJob that somebody deletes."""
    stop = asyncio.Event()

    async def meet() -> None:
        async with player(release, url, "seen-a") as one, player(release, url, "seen-b") as two:
            while not stop.is_set():
                await asyncio.gather(one.join("scraped", "eu", "ranked"), two.join("scraped", "eu", "ranked"))
                await asyncio.wait_for(asyncio.gather(matched(one), matched(two)), WITHIN)
                await asyncio.sleep(0.25)  # nobody plays that fast, and nobody may

    async def come_and_go(lone: Client, other: Client) -> None:
        await lone.join("scraped", "eu", "casual")
        while not stop.is_set():
            with suppress(JoinRefusedError):
                await other.join("nowhere", "eu", "ranked")
            await other.join("scraped", "us", "ranked")
            await asyncio.sleep(0.5)
            await other.leave()

    async def read_on(client: Client) -> None:
        async for _ in client.events():
            pass

    async def disturb() -> None:
        while not stop.is_set():
            await asyncio.to_thread(release.namespace.kubectl, "delete", "scaledjob", "scraped-us", "--ignore-not-found")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 20)

    async with player(release, url, "seen-c") as lone, player(release, url, "seen-d") as other:
        work = [asyncio.ensure_future(each) for each in (meet(), come_and_go(lone, other), disturb())]
        readers = [asyncio.ensure_future(read_on(client)) for client in (lone, other)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*work)
            for reader in readers:
                reader.cancel()


async def test_every_panel_of_every_dashboard_shows_data_after_matches_were_played(release: Release, url: str, prometheus: Asked) -> None:
    scaling = {"maxMatchers": 2, "idleTimeout": "5s"}
    release.declare(pool("scraped", ("eu", "us"), ("ranked", "casual"), scaling=scaling))
    left = panel_queries("scraped")
    asked = len(left)
    async with life(release, url):
        deadline = time.monotonic() + WITHIN
        while left and time.monotonic() < deadline:
            await asyncio.sleep(2)
            for panel, query in list(left.items()):
                if await asyncio.to_thread(prometheus.values, query):
                    del left[panel]
    assert not left, f"{len(left)} of {asked} queries never returned data"
    run("kubectl", "-n", release.namespace.name, "delete", "mmp", "scraped", "--timeout=30s")


async def test_sums_over_pods_are_what_redis_holds_after_a_gateway_and_a_matcher_were_killed(
    release: Release, url: str, prometheus: Asked
) -> None:
    release.declare(pool("summed", scaling={"maxMatchers": 2, "idleTimeout": "60s"}))

    async def meet(names: tuple[str, str]) -> None:
        async with player(release, url, names[0]) as one, player(release, url, names[1]) as two:
            await asyncio.gather(one.join("summed", "eu", "ranked"), two.join("summed", "eu", "ranked"))
            await asyncio.wait_for(asyncio.gather(matched(one), matched(two)), WITHIN)

    def held(field: str) -> float:
        return float(release.redis("HGET", "pool:{summed}:statistics:eu:ranked", field) or 0)

    await meet(("sum-a", "sum-b"))
    await eventually_async("one exports", lambda: prometheus.values("sum(game_exporter)") == [1.0])
    exporter = address(prometheus.ask("query", query="game_exporter == 1")["result"][0]["metric"]["instance"])
    (gone,) = [pod["metadata"]["name"] for pod in release.namespace.pods("gateway") if pod["status"]["podIP"] == exporter]
    kill = ("delete", "pod", "--grace-period=0", "--force")
    await asyncio.to_thread(release.namespace.kubectl, *kill, gone, *(pod["metadata"]["name"] for pod in release.jobs("summed")))
    await meet(("sum-c", "sum-d"))
    assert held("players") == 4
    for metric, field in (
        ("game_matchmaking_success_total", "players"),
        ("game_matches_total", "matched"),
        ("game_tickets_joined_total", "joined"),
    ):
        query = f'sum({metric}{{pool="summed"}})'
        await eventually_async(query, lambda query=query, field=field: prometheus.values(query) == [held(field)])
    await eventually_async("one exports", lambda: prometheus.values("sum(game_exporter)") == [1.0])
    run("kubectl", "-n", release.namespace.name, "delete", "mmp", "summed", "--timeout=30s")
