"""A Kubernetes cluster for tests, through kubectl and helm; whichever KUBECONFIG names. Nothing here knows how the cluster was made."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "game-session-manager"
PATIENCE = 120.0  # s until something that should happen counts as never happening; says nothing about speed

Manifest = dict[str, Any]


class CommandError(AssertionError):
    """kubectl or helm failed; the text is what it said."""


def run(*words: str, stdin: str | None = None, timeout: float = 300.0) -> str:
    """Run a command; its output.

    Raises:
        CommandError: it failed.
    """
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise CommandError(f"{' '.join(words)}\n{done.stderr}{done.stdout}")
    return done.stdout


def require(*programs: str) -> None:
    """Skip where a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} on the PATH")


def eventually(what: str, check: Callable[[], Any], within: float = PATIENCE, every: float = 0.5) -> Any:
    """Wait until `check` gives something true; the last thing that it gave is told if it never does."""
    end = time.monotonic() + within
    while True:
        try:
            found = check()
        except CommandError as error:
            found = None
            last: object = error
        else:
            last = found
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:g} s: {what}; last seen: {last!r}")
        time.sleep(every)


async def eventually_async(what: str, check: Callable[[], Any], within: float = PATIENCE, every: float = 0.5) -> Any:
    """The same while an event loop runs."""
    return await asyncio.to_thread(eventually, what, check, within, every)


class Namespace:
    """One namespace; `enforce` is its Pod Security Standard."""

    def __init__(self, name: str, enforce: str = "restricted") -> None:
        self.name, self._enforce = name, enforce

    def __enter__(self) -> Self:
        self.delete()
        labels = {"pod-security.kubernetes.io/enforce": self._enforce}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name, "labels": labels}})
        eventually("the namespace's certificate authority", lambda: self.get("configmap", "kube-root-ca.crt"))
        return self

    def __exit__(self, *_: object) -> None:
        if not os.environ.get("E2E_KEEP"):
            self.delete()

    def delete(self) -> None:
        """Delete it with everything in it, and wait until it is gone."""
        run("kubectl", "delete", "namespace", self.name, "--ignore-not-found", "--timeout=180s")

    def kubectl(self, *words: str, stdin: str | None = None, timeout: float = 300.0) -> str:
        """kubectl in this namespace."""
        return run("kubectl", "-n", self.name, *words, stdin=stdin, timeout=timeout)

    def apply(self, *manifests: Manifest) -> str:
        """Apply manifests."""
        return self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(manifests))

    def get(self, kind: str, name: str) -> Manifest | None:
        """An object, if it is there."""
        text = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def all(self, kind: str, selector: str = "") -> list[Manifest]:
        """All objects of a kind."""
        items: list[Manifest] = json.loads(self.kubectl("get", kind, "-o", "json", "-l", selector))["items"]
        return items

    def pods(self, component: str) -> list[Manifest]:
        """The running pods of a component that are not going away."""
        found = self.all("pods", f"app.kubernetes.io/component={component}")
        return [pod for pod in found if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]]

    def secret(self, name: str) -> dict[str, str]:
        """A secret's values."""
        found = self.get("secret", name)
        assert found is not None, f"no secret {name}"
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    @contextlib.contextmanager
    def reach(self, service: str, port: int) -> Iterator[tuple[str, int]]:
        """Where a service answers from here: its own address if that is reachable, else a port that kubectl forwards."""
        found = self.get("service", service)
        assert found is not None, f"no service {service}"
        address = found["spec"]["clusterIP"]
        if _reachable(address, port):
            yield address, port
            return
        with subprocess.Popen(
            ["kubectl", "-n", self.name, "port-forward", f"service/{service}", f":{port}"], stdout=subprocess.PIPE, text=True
        ) as forward:
            try:
                assert forward.stdout is not None
                local = int(forward.stdout.readline().rsplit(":", 1)[1].split()[0])
                yield "127.0.0.1", local
            finally:
                forward.terminate()


def _reachable(address: str, port: int) -> bool:
    """Several tries: a service whose pods have only just become ready is refused for a moment."""
    for _ in range(5):
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=2):
            return True
        time.sleep(0.5)
    return False


def helm(*words: str, values: Sequence[Manifest] = (), timeout: float = 300.0) -> str:
    """helm, with values given as dictionaries."""
    with contextlib.ExitStack() as stack:
        files: list[str] = []
        for each in values:
            file = stack.enter_context(NamedTemporaryFile("w", suffix=".yaml"))
            file.write(yaml.safe_dump(each))
            file.flush()
            files += ["-f", file.name]
        return run("helm", *words, *files, timeout=timeout)


def pool(name: str, regions: Sequence[str] = ("eu",), modes: Sequence[str] = ("ranked",), **spec: Any) -> Manifest:
    """A pool for one against one."""
    usual: Manifest = {
        "regions": [{"name": region} for region in regions],
        "modes": list(modes),
        "teams": [{"name": "side", "quantity": 2, "minPlayers": 1, "maxPlayers": 1}],
        "scaling": {"maxMatchers": 2, "idleTimeout": "3s"},
    }
    return {"apiVersion": "gamesessions.dev/v1alpha1", "kind": "MatchmakingPool", "metadata": {"name": name}, "spec": usual | spec}
