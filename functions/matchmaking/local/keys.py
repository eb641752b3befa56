"""Sign-in for development: one Ed25519 key per user of this machine, and tokens signed with it.

The key lies in a folder of the user's own, so that `matchmaking token` fits a server that runs already, or will run later. It is written to a file of its own
first and then linked to its name; of two processes that do so at once, one finds the name taken and uses the other's key.

On a cluster that is being evaluated, `MATCHMAKING_SIGNING_KEY_FILE` names a key that somebody else made (Ed25519, PEM); then tokens are signed with that one,
for the gateways' own `MATCHMAKING_ISSUER` and `MATCHMAKING_AUDIENCE`, and nothing is written.
"""

import base64
import hashlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import OKPAlgorithm

from matchmaking.protocol.identifiers import valid_player_id

from .errors import InvalidPlayerError, KeyStorageError

ISSUER = "game-session-manager-dev"
AUDIENCE = "game-session-manager"
LIFETIME = 12 * 3600.0  # s; a working day
SCOPES = ("player", "server", "admin")
SIGNING_KEY_FILE = "MATCHMAKING_SIGNING_KEY_FILE"
_PRIVATE, _PUBLIC = "private-key.json", "jwks.json"


def state_folder() -> Path:
    """Where the key lies: `$MATCHMAKING_DEV_DIR`, or a folder for this program under the user's state."""
    chosen = os.environ.get("MATCHMAKING_DEV_DIR")
    if chosen:
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "game-session-manager"


def jwks_file() -> Path:
    """The file with the public key, for gateways; made if there is none yet.

    Raises:
        KeyStorageError: it can neither be read nor written.
    """
    _signing_key()
    return state_folder() / _PUBLIC


def issue_token(player: str, scope: str = "player", lifetime: float = LIFETIME) -> str:
    """A token that development servers of this user accept.

    Args:
        scope: `player`, `server` or `admin`.
        lifetime: seconds.

    Raises:
        InvalidPlayerError: the name is no player id.
        KeyStorageError: the key can neither be read nor written.
    """
    if not valid_player_id(player):
        raise InvalidPlayerError(f"{player[:80]!r} is no player id; take 1 to 64 of the letters A to Z, digits and _.@|+=~:-")
    key = _signing_key()
    now = int(time.time())
    issuer, audience = ISSUER, AUDIENCE
    if SIGNING_KEY_FILE in os.environ:
        issuer, audience = os.environ.get("MATCHMAKING_ISSUER", issuer), os.environ.get("MATCHMAKING_AUDIENCE", audience)
    claims = {"sub": player, "iss": issuer, "aud": audience, "iat": now, "exp": now + int(lifetime), "scope": scope}
    return jwt.encode(claims, jwt.PyJWK(key), algorithm="EdDSA", headers={"kid": key["kid"]})


def public_keys() -> str:
    """The JWKS that gateways check this key's tokens with.

    Raises:
        KeyStorageError: the key can neither be read nor written.
    """
    return _jwks(_signing_key())


def _jwks(key: dict[str, Any]) -> str:
    return json.dumps({"keys": [{name: value for name, value in key.items() if name != "d"}]}, indent=1)


def _signing_key() -> dict[str, Any]:
    given = os.environ.get(SIGNING_KEY_FILE)
    if given is not None:
        return _read_pem(Path(given))
    folder = state_folder()
    try:
        try:
            text = (folder / _PRIVATE).read_text()
        except FileNotFoundError:
            text = _create(folder)
        key: dict[str, Any] = json.loads(text)
        wanted = _jwks(key)
        if not (folder / _PUBLIC).exists() or (folder / _PUBLIC).read_text() != wanted:
            written = _write(folder, wanted, 0o644)
            written.replace(folder / _PUBLIC)
    except (OSError, ValueError) as error:
        raise KeyStorageError(
            f"the development key in {folder} cannot be used ({error}); choose another folder with MATCHMAKING_DEV_DIR, or remove this one"
        ) from error
    return key


def _create(folder: Path) -> str:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = _as_jwk(Ed25519PrivateKey.generate())
    written = _write(folder, json.dumps(key, indent=1), 0o600)
    try:
        (folder / _PRIVATE).hardlink_to(written)
    except FileExistsError:
        pass  # another process was faster
    finally:
        written.unlink()
    return (folder / _PRIVATE).read_text()


def _read_pem(file: Path) -> dict[str, Any]:
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyStorageError(f"{SIGNING_KEY_FILE}: {file} is no private key in PEM without a password ({type(error).__name__})") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyStorageError(f"{SIGNING_KEY_FILE}: {file} is no Ed25519 key")
    return _as_jwk(key)


def _as_jwk(private: Ed25519PrivateKey) -> dict[str, Any]:
    key: dict[str, Any] = OKPAlgorithm.to_jwk(private, as_dict=True)
    key |= {"kid": _thumbprint(key), "alg": "EdDSA", "use": "sig"}
    key.pop("key_ops", None)
    return key


def _thumbprint(key: dict[str, Any]) -> str:
    """The key's name, made from itself (RFC 7638)."""
    required = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(required.encode()).digest()).decode().rstrip("=")


def _write(folder: Path, text: str, mode: int) -> Path:
    path = folder / f".{secrets.token_hex(8)}"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    return path
