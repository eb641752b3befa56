"""The page's own requests: files with a strict policy, and tokens for nobody but this machine's own page."""

import re
from pathlib import Path

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Browser

from matchmaking.local import page as page_module
from matchmaking.local.page import demo_page

FILES = Path(page_module.__file__).parent / "page_files"


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Browser:
    monkeypatch.setenv("MATCHMAKING_DEV_DIR", str(tmp_path))
    app = Quart("test")
    app.register_blueprint(demo_page())
    return app.test_client()


async def ask(browser: Browser, body: object, *, remote: str = "127.0.0.1", **headers: str) -> tuple[int, str]:
    chosen = {"Host": "127.0.0.1:8080"} | headers
    response = await browser.post("/dev/token", json=body, headers=chosen, scope_base={"client": (remote, 1)})
    return response.status_code, (await response.get_data(as_text=True))


async def test_a_name_gets_a_token(browser: Browser) -> None:
    status, body = await ask(browser, {"player": "alice"}, Origin="http://127.0.0.1:8080")
    assert status == 200
    assert '"token"' in body


@pytest.mark.parametrize("player", ["", "a b", "bot-ada", 7, None])
async def test_a_bad_name_is_refused_with_a_reason(browser: Browser, player: object) -> None:
    status, body = await ask(browser, {"player": player})
    assert status == 400
    assert "message" in body


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "http://127.0.0.1:9999"}, {"Origin": "null"}, {"Host": "evil.example:8080"}],
)
async def test_other_sites_get_nothing(browser: Browser, headers: dict[str, str]) -> None:
    assert (await ask(browser, {"player": "alice"}, **headers))[0] == 403


async def test_other_machines_get_nothing(browser: Browser) -> None:
    assert (await ask(browser, {"player": "alice"}, remote="192.0.2.7"))[0] == 403


@pytest.mark.parametrize("path", ["/", "/demo/app.js", "/demo/page.css", "/demo/icon.svg"])
async def test_files_come_with_a_strict_policy(browser: Browser, path: str) -> None:
    response = await browser.get(path)
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/demo/nothing.js", "/demo/..%2fpage.py", "/client/gsm.js", "/demo/"])
async def test_nothing_else_is_served(browser: Browser, path: str) -> None:
    assert (await browser.get(path)).status_code == 404


def test_the_page_needs_nothing_from_elsewhere_and_has_no_inline_code() -> None:
    for path in FILES.iterdir():
        text = path.read_text()
        outside = [address for address in re.findall(r"https?://[^\s\"')]+", text) if "www.w3.org" not in address]
        assert not outside, path
    html = (FILES / "index.html").read_text()
    assert not re.search(r"\son\w+=|style=|javascript:|<script>|<style", html)
