"""`matchmaking token PLAYER`."""

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("player", help="the player id: 1 to 64 of letters, digits and _.@|+=~:-")
    parser.add_argument("--scope", choices=("player", "server", "admin"), default="player", help="what the token allows (default player)")


def run(arguments: argparse.Namespace) -> int:
    """Print the token, and nothing else."""
    from matchmaking.local.keys import issue_token

    print(issue_token(arguments.player, arguments.scope))  # noqa: T201 - a command's output
    return 0
