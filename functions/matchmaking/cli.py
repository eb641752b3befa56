"""The command `matchmaking`. Each subcommand imports only what it needs: a matcher's start must not pay for a gateway's libraries."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from matchmaking import __version__
from matchmaking.core.errors import MatchmakingError

COMMANDS = {
    "dev": "run everything on this machine: Redis, a gateway, an autoscaler, bots, a demo page",
    "gateway": "serve clients (settings: MATCHMAKING_* in the environment)",
    "matcher": "match one pool's region until its queues are empty",
    "token": "print a token that the local dev server, or a cluster being evaluated, accepts",
    "profiles": "export players' ratings as JSON lines, or import them",
    "check": "match two players through a gateway, from end to end",
    "lint": "find what can never match, or contradicts itself, in a pool's manifest",
    "inspect": "show how a queue, a ticket, a player or a match stands, as Redis knows it",
    "docs": "write the generated parts of the documentation",
    "observability": "write the dashboards and alert rules that ship with the chart",
    "crd": "print or write the CustomResourceDefinition of pools",
    "replay": "show what recorded tickets would have come to under other rules",
    "simulate": "show what a pool's rules do to a seeded population",
}


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """The command line's grammar; only `command`'s own options are loaded."""
    top = argparse.ArgumentParser(
        prog="matchmaking", description="Matchmaking and live game sessions as a service that scales from nothing."
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", metavar="command", required=True)
    for name, what in COMMANDS.items():
        sub = commands.add_parser(name, help=what, description=what)
        if name == command:
            importlib.import_module(f"matchmaking.commands.{name}").configure(sub)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; its exit code is the process's."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words[0] if words and words[0] in COMMANDS else None
    parsed = parser(name).parse_args(words)
    try:
        code: int = importlib.import_module(f"matchmaking.commands.{parsed.command}").run(parsed)
    except MatchmakingError as error:
        print(f"matchmaking {parsed.command}: {error}", file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main())
