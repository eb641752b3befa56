"""The development key: made once, kept private, and accepted by what gateways check."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from matchmaking.gateway.errors import SignInError
from matchmaking.gateway.sign_in import Identity, Verifier
from matchmaking.gateway.signing_keys import SigningKeys
from matchmaking.local import keys
from matchmaking.local.errors import InvalidPlayerError, KeyStorageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    chosen = tmp_path / "state" / "keys"
    monkeypatch.setenv("MATCHMAKING_DEV_DIR", str(chosen))
    return chosen


async def verify(token: str) -> Identity:
    async with httpx.AsyncClient() as client:
        return await Verifier(SigningKeys(str(keys.jwks_file()), client), keys.ISSUER, keys.AUDIENCE).verify(token)


async def test_a_token_is_accepted_and_says_who_and_what_for() -> None:
    identity = await verify(keys.issue_token("alice", "admin"))
    assert (identity.subject, identity.scopes) == ("alice", {"admin"})


async def test_the_key_stays_the_same() -> None:
    before = keys.jwks_file().read_text()
    assert (await verify(keys.issue_token("alice"))).subject == "alice"
    assert keys.jwks_file().read_text() == before


async def test_tokens_end() -> None:
    with pytest.raises(SignInError, match="expired"):
        await verify(keys.issue_token("alice", lifetime=-10))


def test_only_the_user_may_read_the_private_key(folder: Path) -> None:
    public = keys.jwks_file()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "private-key.json")}
    assert modes == {"keys": 0o700, "private-key.json": 0o600}
    assert '"d"' not in public.read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["jwks.json", "private-key.json"]


async def test_who_races_gets_the_same_key() -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(keys.issue_token, ["alice"] * 16))
    assert len({jwt.get_unverified_header(token)["kid"] for token in tokens}) == 1
    for token in tokens:
        await verify(token)


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


def test_a_key_that_somebody_else_made_signs_for_the_gateways_issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    monkeypatch.setenv("MATCHMAKING_SIGNING_KEY_FILE", str(pem))
    monkeypatch.setenv("MATCHMAKING_ISSUER", "gsm.evaluation")
    public = tmp_path / "jwks.json"
    public.write_text(keys.public_keys())
    assert '"d"' not in public.read_text()
    claims = jwt.decode(
        keys.issue_token("alice"), jwt.PyJWKSet.from_json(public.read_text()).keys[0], audience=keys.AUDIENCE, algorithms=["EdDSA"]
    )
    assert (claims["sub"], claims["iss"]) == ("alice", "gsm.evaluation")
    assert not folder.exists()


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    pem = tmp_path / "key.pem"
    pem.write_text(content)
    monkeypatch.setenv("MATCHMAKING_SIGNING_KEY_FILE", str(pem))
    with pytest.raises(KeyStorageError, match=r"MATCHMAKING_SIGNING_KEY_FILE: .* is no private key"):
        keys.issue_token("alice")
