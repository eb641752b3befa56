"""`matchmaking matcher`."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Which queues to serve."""
    parser.add_argument("--pool", required=True, help="the pool's name")
    parser.add_argument(
        "--record", type=Path, metavar="FOLDER", help="write what is seen and decided to a log in this folder, without players' names"
    )
    parser.add_argument("--region", required=True, help="the region; all modes of the pool there are served")


def run(arguments: argparse.Namespace) -> int:
    """Match until idle."""
    from matchmaking.matcher.main import main

    return main(arguments.pool, arguments.region, arguments.record)
