"""What the system under test costs, second by second: CPU and memory by process, lengths of queues, matchers running.

Of our own deployment the processes are watched from outside. Of somebody else's we read what its gateways tell Prometheus, where we are given their addresses.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import httpx
from msgspec import Struct

_LINE = re.compile(r"^(\w+)(?:\{(.*)\})? ([^ ]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Sample(Struct):
    """How things were.

    Attributes:
        at: seconds from the start.
        cpu: CPU seconds so far, by process.
        memory: resident bytes, by process.
        queues: tickets waiting, by queue (`pool/region/mode`).
        matchers: how many run; -1 where nobody tells.
    """

    at: float
    cpu: dict[str, float]
    memory: dict[str, int]
    queues: dict[str, int]
    matchers: int = -1


class Watch:
    """Takes samples until it is cancelled."""

    def __init__(self, take: Callable[[], Sample], every: float = 1.0) -> None:
        self.samples: list[Sample] = []
        self._take, self._every = take, every

    async def run(self, start: float) -> None:
        """Once a second from `start`, by the wall clock."""
        for turn in range(2**62):
            await asyncio.sleep(max(0.0, start + turn * self._every - time.time()))
            sample = await asyncio.to_thread(self._take)
            sample.at = round(time.time() - start, 3)
            self.samples.append(sample)


def read_metrics(urls: Sequence[str]) -> Sample:
    """What gateways tell; one that does not answer is left out."""
    sample = Sample(0.0, {}, {}, {})
    with httpx.Client(timeout=2.0) as client:
        for i, url in enumerate(urls):
            try:
                text = client.get(url).text
            except httpx.HTTPError:
                continue
            _add(sample, f"gateway {i + 1}" if len(urls) > 1 else "gateway", parse(text))
    return sample


def parse(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Prometheus' text: name → labels and value of each sample."""
    found: defaultdict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
    for name, labels, value in _LINE.findall(text):
        found[name].append((dict(_LABEL.findall(labels)), float(value)))
    return found


def _add(sample: Sample, who: str, found: dict[str, list[tuple[dict[str, str], float]]]) -> None:
    for _, value in found.get("process_cpu_seconds_total", []):
        sample.cpu[who] = value
    for _, value in found.get("process_resident_memory_bytes", []):
        sample.memory[who] = int(value)
    for labels, value in found.get("game_queue_length", []):  # of the one gateway that exports them
        sample.queues["/".join(labels.get(part, "") for part in ("pool", "region", "mode"))] = int(value)
    if counted := found.get("game_matchers", []):
        sample.matchers = sum(int(value) for _, value in counted)
