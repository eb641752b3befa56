"""`matchmaking dev`."""

import argparse
import sys
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--port", type=_port, default=8080, help="where the page and the gateway are (default 8080)")
    parser.add_argument(
        "--metrics-port", type=_port, default=None, help="where the metrics are (default 9090, or a free one if that is taken)"
    )
    parser.add_argument(
        "--bots", type=_count, default=6, help="how many bots wait for visitors; more come when a match needs them; 0 for none"
    )
    parser.add_argument(
        "--pool",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a MatchmakingPool manifest, instead of the shipped ones; repeatable",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM; 1 if a port is taken or a part is missing."""
    from matchmaking.gateway.errors import PortTakenError
    from matchmaking.local.development import Options
    from matchmaking.local.errors import DevelopmentError
    from matchmaking.local.main import main

    options = Options(arguments.port, arguments.metrics_port, arguments.bots, tuple(arguments.pool), not arguments.no_browser)
    try:
        main(options)
    except (PortTakenError, DevelopmentError) as error:
        print(f"matchmaking dev: {error}", file=sys.stderr)  # noqa: T201 - a command's output
        return 1
    return 0


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no count: 0 or more")
    return int(text)
