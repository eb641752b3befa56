"""The development key: made once, kept private, and accepted by what gateways check."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest

from matchmaking.gateway.errors import SignInError
from matchmaking.gateway.sign_in import Verifier
from matchmaking.local import keys
from matchmaking.local.errors import InvalidPlayerError, KeyStorageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    chosen = tmp_path / "state" / "keys"
    monkeypatch.setenv("MATCHMAKING_DEV_DIR", str(chosen))
    return chosen


def verifier() -> Verifier:
    return Verifier(keys.jwks_file(), keys.ISSUER, keys.AUDIENCE)


def test_a_token_is_accepted_and_says_who_and_what_for() -> None:
    identity = verifier().verify(keys.issue_token("alice", "admin"))
    assert (identity.subject, identity.scopes) == ("alice", {"admin"})


def test_the_key_stays_the_same() -> None:
    before = verifier()
    assert before.verify(keys.issue_token("alice")).subject == "alice"


def test_tokens_end() -> None:
    with pytest.raises(SignInError, match="expired"):
        verifier().verify(keys.issue_token("alice", lifetime=-10))


def test_only_the_user_may_read_the_private_key(folder: Path) -> None:
    public = keys.jwks_file()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "private-key.json")}
    assert modes == {"keys": 0o700, "private-key.json": 0o600}
    assert '"d"' not in public.read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["jwks.json", "private-key.json"]


def test_who_races_gets_the_same_key() -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(keys.issue_token, ["alice"] * 16))
    assert len({jwt.get_unverified_header(token)["kid"] for token in tokens}) == 1
    assert all(verifier().verify(token) for token in tokens)


@pytest.mark.parametrize("player", ["", "a b", "ü", "x" * 65, "a\n", "../a"])
def test_no_token_for_what_is_no_player_id(player: str) -> None:
    with pytest.raises(InvalidPlayerError, match="is no player id; take 1 to 64"):
        keys.issue_token(player)


def test_a_broken_key_is_reported_with_its_folder(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "private-key.json").write_text("{")
    with pytest.raises(KeyStorageError, match="MATCHMAKING_DEV_DIR"):
        keys.issue_token("alice")


def test_the_folder_follows_the_desktops_rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MATCHMAKING_DEV_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert keys.state_folder() == tmp_path / "game-session-manager"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert keys.state_folder() == Path.home() / ".local/state/game-session-manager"
