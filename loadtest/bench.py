"""The headline figures in one table: each beside its peer or floor of the same run, its target, and whether it is reached.

    python loadtest/bench.py [--out loadtest/results/latest.json] [--full]      (or `make bench`)

Runs the benchmarks one after the other with quick settings, reads the figures that they print, and puts them together; a benchmark that fails leaves gaps, not
a failed run. A missed target is told, and changes nothing about the exit code. The result file holds every figure, and README's table is made of the one
that is committed, `results/headline.json` (`bench_table.py`).
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench_table import Headline, growth_page, headlines, text_table

HERE = Path(__file__).parent
RESULT = HERE / "results" / "latest.json"  # of this machine, not committed
FIGURE = re.compile(r"^(\S.*?)\s+(-?\d[\d.]*(?:e[+-]?\d+)?|nan)\s?(ms|s|µs|KiB|MiB|1/s|times|x|%|B|)\s*(?:target .*)?$")
PROGRAMMES: tuple[tuple[str, Sequence[str], Sequence[str]], ...] = (  # programme, quick settings, full settings
    ("bench_floor.py", ["--calls", "20000"], []),
    ("bench_matching.py", ["--quick"], []),
    ("bench_tickets.py", ["--rates", "500", "1000", "2000", "3000", "--seconds", "6"], ["--rates", "500", "1000", "2000", "3000", "4000"]),
    ("bench_overload.py", ["--seconds", "8"], ["--seconds", "30"]),
    ("bench_duel.py", ["--rate", "50", "--seconds", "5", "--idle", "500"], []),
    ("bench_gateway.py", ["--connections", "3000", "--beats", "20000"], []),
    ("bench_growth.py", ["--connections", "100", "1000", "5000"], ["--connections", "100", "1000", "10000"]),
)


def figures_of(text: str) -> dict[str, float]:
    """The figures in what a benchmark printed."""
    return {found[1]: float(found[2]) for line in text.splitlines() if (found := FIGURE.match(line.rstrip()))}


def measure(*, full: bool) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Run everything; the figures, and how each programme ended."""
    figures: dict[str, float] = {}
    ran = []
    for name, quick, thorough in PROGRAMMES:
        words = [sys.executable, str(HERE / name), *(thorough if full else quick)]
        print(f"{name} …", file=sys.stderr, flush=True)
        began, load = time.monotonic(), os.getloadavg()[0]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=1800 if full else 300, check=False)
            output, ended = done.stdout, "" if done.returncode in (0, 1) else f"exit code {done.returncode}"
            if done.stderr.strip() and not done.stdout.strip():
                ended = done.stderr.strip().splitlines()[-1]
        except subprocess.TimeoutExpired as error:
            output, ended = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or "", "took too long"
        figures |= figures_of(output)
        took = time.monotonic() - began
        ran.append({"programme": name, "seconds": round(took, 1), "load_before": round(load, 2), "failed": ended})
        print(f"{name}: {took:.0f} s {ended}", file=sys.stderr, flush=True)
    return figures, ran


def main(arguments: argparse.Namespace) -> None:
    """Measure, print the table, write the result."""
    began = os.getloadavg()
    figures, ran = measure(full=arguments.full)
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "load_before": round(began[0], 2),
        "load_after": round(os.getloadavg()[0], 2),
    }
    result = {"day": time.strftime("%Y-%m-%d"), "machine": machine, "ran": ran, "figures": figures}
    rows: list[Headline] = headlines(figures)
    print(text_table(rows, machine))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    arguments.out.with_suffix(".html").write_text(growth_page(figures))
    print(f"figures: {arguments.out}, growth: {arguments.out.with_suffix('.html')}", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=RESULT, help="the result file")
    parser.add_argument("--full", action="store_true", help="longer runs, more of them: some forty minutes")
    main(parser.parse_args())
