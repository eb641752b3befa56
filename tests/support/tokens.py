"""Tokens for tests, signed with keys made here."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

ISSUER = "https://sign-in.example"
AUDIENCE = "game-session-manager"


class Signer:
    """An identity provider with two keys."""

    def __init__(self, folder: Path) -> None:
        self.keys: dict[str, tuple[str, Any]] = {
            "ed": ("EdDSA", Ed25519PrivateKey.generate()),
            "ec": ("ES256", generate_private_key(SECP256R1())),
        }
        jwks = []
        for kid, (algorithm, key) in self.keys.items():
            write = OKPAlgorithm.to_jwk if algorithm == "EdDSA" else ECAlgorithm.to_jwk
            jwks.append({**json.loads(write(key.public_key())), "kid": kid, "alg": algorithm, "use": "sig"})
        self.jwks_file = folder / "jwks.json"
        self.jwks_file.write_text(json.dumps({"keys": jwks}))

    def token(self, player: str, kid: str = "ed", *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token for a player; `claims` replace the usual ones (None: left out)."""
        now = int(time.time())
        usual = {"sub": player, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600, "scope": "player"}
        chosen = {name: value for name, value in (usual | claims).items() if value is not None}
        algorithm, key = self.keys[kid]
        named = {name: value for name, value in {"kid": kid, **(headers or {})}.items() if value is not None}
        # Signed as bytes: the library would not write the odd claims that some tests need.
        return jwt.PyJWS().encode(json.dumps(chosen).encode(), key, algorithm=algorithm, headers=named)
