"""The JavaScript client in a real Chromium, from the module that the gateway serves: two sessions in one page are matched, one of them over a lost connection."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from local.dev_process import DevProcess

pytestmark = pytest.mark.browser

PLAY = """async () => {
  const { GameSession } = await import("/sdk/gsm.js");
  const token = async (player) => {
    const asked = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ player }) };
    return (await (await fetch("/dev/token", asked)).json()).token;
  };
  const sockets = [];
  class Watched extends WebSocket {
    constructor(...words) {
      super(...words);
      sockets.push(this);
    }
  }
  const one = new GameSession({ url: location.href, player: "sdk-one", token: () => token("sdk-one"), WebSocket: Watched });
  const two = new GameSession({ url: location.href, player: "sdk-two", token: () => token("sdk-two") });
  const next = (session, type) => new Promise((resolve) => session.addEventListener(type, ({ detail }) => resolve(detail), { once: true }));
  const events = one.events();
  one.connect();
  const ticket = await one.join({ pool: "duel", region: "local", mode: "ranked" });
  const back = next(one, "hello");
  sockets[0].close(3000);
  await back;
  const found = next(two, "match_found");
  two.connect();
  await two.join({ pool: "duel", region: "local", mode: "ranked" });
  const told = [];
  for await (const { type, data, seq } of events) {
    told.push([type, seq]);
    if (type !== "match_found") continue;
    const other = await found;
    one.close();
    two.close();
    return { ticket, mine: data, other, told, connections: one.connections, states: [one.state, two.state], protocols: sockets.map((socket) => socket.protocol) };
  }
}"""


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    with DevProcess(tmp_path_factory.mktemp("dev"), "--bots", "0") as process:
        yield process


@pytest.fixture
def page(browser: Browser, dev: DevProcess) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{dev.url}/healthz")
    yield page
    context.close()


def test_two_sessions_meet_though_one_was_cut(page: Page) -> None:
    result = page.evaluate(PLAY)
    assert result["mine"]["match_id"] == result["other"]["match_id"]
    assert result["mine"]["ticket_id"] == result["ticket"]["ticket_id"]
    assert (result["connections"], result["states"], result["protocols"]) == (2, ["idle", "idle"], ["gsm.v1", "gsm.v1"])
    assert [type_ for type_, _ in result["told"]].count("match_found") == 1


def test_a_page_of_another_origin_may_import_it(browser: Browser, dev: DevProcess) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{dev.url}/healthz".replace("127.0.0.1", "localhost"))  # another origin to the browser
    assert page.evaluate("url => import(url).then((module) => Object.keys(module).sort())", f"{dev.url}/sdk/gsm.js") == [
        "CLOSE_CODES",
        "GameSession",
        "RefusedError",
        "delay",
        "signInTicket",
    ]
    context.close()
