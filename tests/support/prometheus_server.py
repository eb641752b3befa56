"""A real Prometheus on loopback that scrapes every second; Debian's package has it."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from .redis_server import free_port


def find_prometheus() -> str:
    """The binary; tests that need it are skipped without it, but never in CI."""
    found = shutil.which("prometheus")
    if found is None and not os.environ.get("CI"):
        pytest.skip("prometheus is not installed (Debian: apt install prometheus)")
    assert found is not None, "CI must have prometheus"
    return found


class PrometheusServer:
    """Scrapes `jobs`: job → ports on loopback; evaluates rule files."""

    def __init__(self, folder: Path, jobs: Mapping[str, Sequence[int]], rules: Sequence[Path] = ()) -> None:
        self._port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rule) for rule in rules],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]} for job, ports in jobs.items()
            ],
        }
        file = folder / "prometheus.json"
        file.write_text(json.dumps(config))  # JSON is YAML
        self._words = [
            find_prometheus(),
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=error",
        ]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._words)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an API's answer; None while it cannot answer yet."""
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()[:500]}") from error
        except OSError:
            assert self._process.poll() is None, "Prometheus ended"
            return None

    def values(self, query: str) -> list[float]:
        """The values of an instant query, NaNs left out."""
        data = self.ask("query", query=query)
        numbers = [float(series["value"][1]) for series in data["result"]] if data else []
        return [number for number in numbers if number == number]
