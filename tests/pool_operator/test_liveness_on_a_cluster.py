"""Liveness fails when the watch is stale, and only then; the pool is served all the same, because the rounds list it."""

import contextlib
import os
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from pool_operator.installation import Operator, eventually, install_definition, namespace, reachable_redis, until_condition
from pool_operator.kubectl import apply
from pool_operator.pools import resource
from support.freezing_proxy import FreezingProxy

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


def health(operator: Operator) -> tuple[int, str]:
    with contextlib.suppress(OSError):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{operator.health_port}/healthz", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
    return 0, ""


def test_a_stale_watch_is_the_operators_death(tmp_path: Path) -> None:
    install_definition()
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    assert server.hostname is not None
    with FreezingProxy(server.hostname, server.port or 443) as proxy, reachable_redis() as redis, namespace() as name:
        config["clusters"][0]["cluster"] |= {"server": f"https://127.0.0.1:{proxy.port}", "tls-server-name": server.hostname}
        through = tmp_path / "kubeconfig"
        through.write_text(yaml.safe_dump(config))
        settings = {"KUBECONFIG": str(through), "MATCHMAKING_OPERATOR_STALE_SECONDS": "6"}
        with Operator(name, redis.url, tmp_path, **settings) as operator:
            for pool in ("before", "after"):
                made = resource("duel")
                made["metadata"] = {"name": pool, "namespace": name}
                apply(made)
                until_condition(pool, name, "Ready", "True")
                if pool == "before":
                    eventually("it lives", lambda: health(operator)[0] == 200)
                    proxy.freeze()
            status, told = eventually("it counts as dead", lambda: (found := health(operator))[0] == 503 and found)
            assert (status, "the watch has missed a change" in told) == (503, True)
