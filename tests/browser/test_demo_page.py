"""The demo page in a real Chromium: two windows with two names are matched against each other."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from local.dev_process import DevProcess

pytestmark = pytest.mark.browser

WITHIN = 15_000.0  # ms; a matcher starts within two polls and a cold import


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    with DevProcess(tmp_path_factory.mktemp("dev"), "--bots", "0") as process:
        yield process


class Windows:
    """Opens windows that share nothing, and collects what goes wrong in them."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser, self.url = browser, url
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def open(self, player: str = "", width: int = 1280) -> Page:
        """The page in a window of its own, signed in if a name is given."""
        context = self.browser.new_context(viewport={"width": width, "height": 844})
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WITHIN)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.goto(self.url)
        if player:
            sign_in(page, player)
        return page

    def close(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture
def windows(browser: Browser, dev: DevProcess) -> Iterator[Windows]:
    opened = Windows(browser, dev.url)
    yield opened
    opened.close()


def sign_in(page: Page, player: str) -> None:
    page.get_by_label("Your name").fill(player)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Choose a queue.")).to_be_visible(timeout=WITHIN)


def queue_up(page: Page, pool: str = "duel", mode: str = "ranked", region: str = "local") -> None:
    for group, value in (("Pool", pool), ("Mode", mode), ("Region", region)):
        page.get_by_role("group", name=group).get_by_role("radio", name=re.compile(f"^{value}")).check(force=True)
    page.get_by_role("button", name="Find a match").click()


def find_match(page: Page, pool: str = "duel", mode: str = "ranked", region: str = "local") -> None:
    queue_up(page, pool, mode, region)
    expect(page.get_by_role("heading", name=re.compile("^Looking for"))).to_be_visible(timeout=WITHIN)


def expect_matched(page: Page, opponent: str) -> None:
    expect(page.get_by_role("heading", name=f"Matched with {opponent}.")).to_be_visible(timeout=WITHIN)


def test_two_windows_meet_and_may_queue_again(windows: Windows) -> None:
    alice, bob = windows.open("alice"), windows.open("bob")
    find_match(alice)
    expect(alice.locator("#position")).to_have_text("1 of 1", timeout=WITHIN)
    expect(alice.locator("[data-series=waiting] .number")).to_have_text("1", timeout=WITHIN)
    expect(alice.locator("tr.busy")).to_contain_text("local ranked", timeout=WITHIN)
    find_match(bob)
    expect_matched(alice, "bob")
    expect_matched(bob, "alice")
    assert alice.locator("#match-id").inner_text() == bob.locator("#match-id").inner_text()
    expect(alice.locator("#teams li.me")).to_have_text("alice")
    expect(alice.locator("#quality")).to_have_text(re.compile(r"^\d+ %$"))
    expect(alice.locator("[data-series=matchers] .number")).to_have_text("1", timeout=WITHIN)
    alice.get_by_role("button", name="Queue again").click()
    expect(alice.locator("#position")).to_have_text(re.compile("1 of 1"), timeout=WITHIN)
    alice.get_by_role("button", name="Leave the queue").click()
    expect(alice.get_by_role("heading", name="Choose a queue.")).to_be_visible(timeout=WITHIN)
    assert windows.complaints == []


def test_two_windows_accept_play_and_are_rated(windows: Windows) -> None:
    alice, bob = windows.open("grace"), windows.open("heidi")
    for page in (alice, bob):
        queue_up(page, "arena")  # a matcher that runs already is faster than the eye
    for page, other in ((alice, "heidi"), (bob, "grace")):
        expect_matched(page, other)
        expect(page.get_by_role("button", name="Queue again")).to_be_disabled()
    alice.get_by_role("button", name=re.compile("^Accept")).click()
    expect(bob.locator("#accepted")).to_have_text("1 of 2 accepted", timeout=WITHIN)
    bob.get_by_role("button", name=re.compile("^Accept")).click()
    expect(alice.locator("#server")).to_have_text(re.compile(r"^127\.0\.0\.1:\d+$"), timeout=WITHIN)
    expect(bob.locator("#score")).to_have_text(re.compile("^side-1 .* : side-2 .*round"), timeout=WITHIN)
    for page in (alice, bob):
        expect(page.locator("#outcome-word")).to_have_text(re.compile(r"^(You won\.|You lost\.|A draw\.)$"), timeout=30_000)
        expect(page.locator("#rating")).to_have_text(re.compile(r"^\d+ [+−]\d+$"))
        expect(page.get_by_role("button", name="Queue again")).to_be_enabled()
    assert windows.complaints == []


def test_a_match_that_is_declined(windows: Windows) -> None:
    alice, bob = windows.open("ivan"), windows.open("judy")
    for page in (alice, bob):
        queue_up(page, "arena")  # a matcher that runs already is faster than the eye
    expect_matched(alice, "judy")
    alice.get_by_role("button", name="Decline").click()
    expect(bob.get_by_role("heading", name="Looking for an opponent.")).to_be_visible(timeout=WITHIN)
    expect(bob.locator("#alert")).to_have_text(re.compile("You are back in the queue"))
    expect(alice.get_by_role("heading", name="Choose a queue.")).to_be_visible(timeout=WITHIN)


def test_why_one_waits_is_told(windows: Windows) -> None:
    one, other = windows.open("carol"), windows.open("dan")
    for page in (one, other):
        find_match(page, "squads", "casual", "us-east")
    expect(one.locator("#wanted")).to_have_text("9 others")
    expect(one.locator("#position")).to_have_text("1 of 2", timeout=WITHIN)
    expect(one.locator("#reason")).to_have_text(re.compile("more players", re.IGNORECASE), timeout=WITHIN)


def test_a_reload_keeps_name_and_place(windows: Windows) -> None:
    page = windows.open("erin")
    find_match(page, region="eu-west")
    page.reload()
    expect(page.get_by_role("heading", name="Looking for an opponent.")).to_be_visible(timeout=WITHIN)
    expect(page.locator("#position")).to_have_text("1 of 1", timeout=WITHIN)


def test_a_lost_connection_is_shown_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    with DevProcess(tmp_path, "--bots", "0") as dev:
        windows = Windows(browser, dev.url)
        page = windows.open("frank")
        find_match(page)
        dev.end(signal.SIGKILL)
        expect(page.locator("#link-text")).to_contain_text("Connection lost", timeout=WITHIN)
        expect(page.get_by_role("alert")).to_contain_text("Your place in the queue is kept for a while", timeout=WITHIN)
        expect(page.locator("#stale")).to_be_visible(timeout=WITHIN)
        expect(page.get_by_role("button", name="Try now")).to_be_visible(timeout=WITHIN)
    with DevProcess(tmp_path, "--bots", "0", port=dev.port):  # another Redis: it knows nothing of the ticket
        page.evaluate(
            "document.querySelector('#alert button')?.click()"
        )  # on its own the page may have come back already, and the button be gone
        expect(page.locator("#link-text")).to_have_text("Connected", timeout=WITHIN)
        expect(page.get_by_role("alert")).to_contain_text("Your ticket had ended", timeout=WITHIN)
        expect(page.locator("#stale")).to_be_hidden(timeout=WITHIN)
        find_match(page)
        windows.close()


def test_one_window_per_name(windows: Windows) -> None:
    first = windows.open("grete")
    second = windows.open("grete")
    expect(first.get_by_role("alert")).to_contain_text("connected in another window", timeout=WITHIN)
    expect(second.locator("#link-text")).to_have_text("Connected")
    first.get_by_role("button", name="Use it here").click()
    expect(first.locator("#link-text")).to_have_text("Connected", timeout=WITHIN)
    expect(second.get_by_role("alert")).to_contain_text("connected in another window", timeout=WITHIN)


def test_a_bad_name_is_refused_with_a_reason(windows: Windows) -> None:
    page = windows.open()
    page.get_by_label("Your name").fill("no spaces please")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("a name has 1 to 64 of", timeout=WITHIN)
    sign_in(page, "henry")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_sticks_out(windows: Windows, width: int) -> None:
    page = windows.open("a-player-with-quite-a-long-name-that-has-sixty-four-characters-x", width)
    expect(page.locator("#queues table")).to_have_count(3, timeout=WITHIN)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_two_windows_queue_as_a_party(windows: Windows) -> None:
    leader, member = windows.open("ida"), windows.open("jon")
    leader.get_by_role("button", name="Create a party").click()
    expect(leader.locator("#party-members li")).to_have_text("ida leads")
    member.get_by_label("Invite").fill("nonsense")
    member.get_by_role("button", name="Join", exact=True).click()
    expect(member.get_by_role("alert")).to_contain_text("no party has this invite")
    member.get_by_label("Invite").fill(leader.locator("#party-invite").inner_text())
    member.get_by_role("button", name="Join", exact=True).click()
    for page in (leader, member):
        expect(page.locator("#party-members li")).to_have_count(2)
    expect(member.get_by_role("button", name="Find a match")).to_be_disabled()
    expect(member.locator("#led")).to_have_text("ida leads your party and queues for all.")
    find_match(leader, "squads", "ranked", "eu-west")
    expect(member.get_by_role("heading", name=re.compile("^Looking for"))).to_be_visible(timeout=WITHIN)
    for page in (leader, member):
        expect(page.locator("#position")).to_have_text("1 of 1", timeout=WITHIN)  # one ticket for both
    member.reload()
    expect(member.locator("#party-members li")).to_have_count(2, timeout=WITHIN)
    expect(member.get_by_role("heading", name=re.compile("^Looking for"))).to_be_visible(timeout=WITHIN)
    member.get_by_role("button", name="Leave the party").click()
    expect(leader.get_by_role("alert")).to_contain_text("Your party changed", timeout=WITHIN)
    for page in (leader, member):
        expect(page.get_by_role("heading", name="Choose a queue.")).to_be_visible(timeout=WITHIN)
    expect(leader.locator("#party-members li")).to_have_count(1)
    expect(member.get_by_role("button", name="Create a party")).to_be_visible()
    assert windows.complaints == []
