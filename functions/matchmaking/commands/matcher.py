"""`matchmaking matcher`."""

import argparse
import gc


def configure(parser: argparse.ArgumentParser) -> None:
    """Which queues to serve."""
    parser.add_argument("--pool", required=True, help="the pool's name")
    parser.add_argument(
        "--record",
        default="",
        metavar="PLACE",
        help="write what is seen and decided to a log in this folder, or under s3://bucket/prefix, without players' names",
    )
    parser.add_argument("--region", required=True, help="the region; all modes of the pool there are served")


def run(arguments: argparse.Namespace) -> int:
    """Match until idle."""
    gc.disable()  # modules are no garbage: looking for some while they load takes a tenth of the start
    from matchmaking.matcher.main import main

    gc.freeze()
    gc.enable()

    return main(arguments.pool, arguments.region, arguments.record)
