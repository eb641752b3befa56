"""`matchmaking gateway`."""

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """No options: a gateway is configured by its environment."""
    parser.epilog = (
        "MATCHMAKING_REDIS_URL, MATCHMAKING_JWKS_FILE and MATCHMAKING_ISSUER are what it needs; see functions/README.md for all."
    )


def run(_arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from matchmaking.gateway.main import main

    return main()
