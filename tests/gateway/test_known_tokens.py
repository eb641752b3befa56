"""Tokens are checked once; what may change meanwhile still counts. (That sign-outs and bans do is shown in `test_people.py`, with tokens that were used before.)"""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from matchmaking.gateway.errors import SignInError
from matchmaking.gateway.known_tokens import KnownTokens
from matchmaking.gateway.sign_in import LEEWAY, Verifier
from matchmaking.gateway.signing_keys import SigningKeys
from support.tokens import AUDIENCE, ISSUER, Signer


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as opened:
        yield opened


def test_the_one_that_was_not_used_for_longest_is_forgotten_first() -> None:
    known: KnownTokens[str] = KnownTokens(most=3)
    for name in "abc":
        known.note(name, 1, name.upper(), 10.0)
    assert known.find("a", 1, 0.0) == "A"
    known.note("d", 1, "D", 10.0)
    assert len(known) == 3
    assert [known.find(name, 1, 0.0) for name in "abcd"] == ["A", None, "C", "D"]


def test_a_token_is_known_until_it_ends_and_as_long_as_the_keys_are_the_same() -> None:
    known: KnownTokens[str] = KnownTokens()
    known.note("a", 1, "A", 10.0)
    assert known.find("a", 1, 9.9) == "A"
    assert known.find("a", 2, 9.9) is None
    known.note("a", 2, "A", 10.0)
    assert known.find("a", 2, 10.0) is None
    assert len(known) == 0


async def test_a_known_token_ends_with_its_exp(client: httpx.AsyncClient, tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    keys = SigningKeys(str(signer.jwks_file), client)
    verifier, exp = Verifier(keys, ISSUER, AUDIENCE), int(time.time()) + 60
    token, without_iat = signer.token("alice", exp=exp), signer.token("alice", exp=exp, iat=None)
    identity = await verifier.verify(token)
    assert await verifier.verify(token) is identity, "not checked twice"
    assert verifier._known.find(token, keys.generation, exp + LEEWAY - 0.1) is identity
    assert verifier._known.find(token, keys.generation, exp + LEEWAY) is None
    assert (await verifier.verify(without_iat)).subject == "alice"
    assert len(verifier._known) == 0, "when it was issued is judged by the time at which it is used"


async def test_a_key_that_was_withdrawn_counts_no_more_for_known_tokens_either(client: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, new = Signer(tmp_path / "old"), Signer(tmp_path / "new")
    file = tmp_path / "jwks.json"
    file.write_bytes(old.jwks_file.read_bytes())
    keys = SigningKeys(str(file), client, retry=0)
    verifier, token = Verifier(keys, ISSUER, AUDIENCE), old.token("alice")
    await verifier.verify(token)
    file.write_bytes(new.jwks_file.read_bytes())
    await keys.look(at_once=True)
    with pytest.raises(SignInError, match="InvalidSignatureError"):
        await verifier.verify(token)
    assert (await verifier.verify(new.token("alice"))).subject == "alice"


async def test_what_was_refused_is_not_remembered(client: httpx.AsyncClient, tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    verifier = Verifier(SigningKeys(str(signer.jwks_file), client), ISSUER, AUDIENCE)
    for token in ("garbage", signer.token("alice", exp=1), signer.token("a{b}")):
        with pytest.raises(SignInError):
            await verifier.verify(token)
    assert len(verifier._known) == 0
