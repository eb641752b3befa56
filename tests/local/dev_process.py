"""`matchmaking dev` as a process of its own, as a visitor starts it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import psutil

from support.redis_server import free_port


class DevProcess:
    """A running `matchmaking dev` on free ports (or on `port`); its keys lie in `folder`."""

    def __init__(self, folder: Path, *words: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.words = ["--port", str(self.port), "--metrics-port", str(free_port()), "--no-browser", *words]
        self.environment = {**os.environ, "MATCHMAKING_DEV_DIR": str(folder / "keys")}
        self.log = folder / "dev.log"
        self.banner = ""
        self.process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def redis_url(self) -> str:
        """As the banner tells it."""
        found = re.search(r"redis://\S+", self.banner)
        assert found is not None, self.banner
        return found[0]

    def token(self, player: str) -> str:
        """What `matchmaking token` prints."""
        words = [sys.executable, "-m", "matchmaking.cli", "token", player]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "matchmaking.cli", "dev", *self.words],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.banner += line
            if "Ctrl-C" in line:
                return self
        self.process.wait()
        self.process.stdout.close()
        raise AssertionError(f"matchmaking dev ended:\n{self.log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGINT)

    def end(self, how: signal.Signals) -> int:
        """Send a signal; the exit code."""
        assert self.process is not None
        assert self.process.stdout is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        return code

    def children(self) -> list[psutil.Process]:
        """Its child processes just now."""
        return psutil.Process(self.pid).children(recursive=True)


def gone(processes: list[psutil.Process], within: float) -> bool:
    """Whether all of these end in time."""
    deadline = time.monotonic() + within
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
