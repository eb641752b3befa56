"""`matchmaking token PLAYER`."""

import argparse
import sys
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("player", nargs="?", help="the player id: 1 to 64 of letters, digits and _.@|+=~:-")
    parser.add_argument("--scope", choices=("player", "server", "admin"), default="player", help="what the token allows (default player)")
    parser.add_argument("--write-public-keys", type=Path, metavar="FILE", help="write the JWKS that gateways check the tokens with")
    parser.epilog = "MATCHMAKING_SIGNING_KEY_FILE names the key to sign with (Ed25519, PEM), on a cluster that is being evaluated."


def run(arguments: argparse.Namespace) -> int:
    """Print the token, and nothing else; or write the public keys."""
    from matchmaking.local.keys import issue_token, public_keys

    if arguments.write_public_keys is not None:
        arguments.write_public_keys.write_text(public_keys())
    if arguments.player is not None:
        print(issue_token(arguments.player, arguments.scope))  # noqa: T201 - a command's output
    elif arguments.write_public_keys is None:
        print("matchmaking token: name a player, for example: matchmaking token alice", file=sys.stderr)  # noqa: T201
        return 2
    return 0
