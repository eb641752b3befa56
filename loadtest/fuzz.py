"""Fuzz a gateway: hostile messages, frames and requests, and the HTTP API from its own description.

    python loadtest/fuzz.py [--inputs 100000] [--seed 1]

Starts a Redis and a gateway on free ports of the loopback address. Of the inputs, 75 % are messages on signed-in sockets, 10 % bytes that are no frames, 10 % HTTP
requests as no library writes them, 5 % requests that schemathesis makes from `/openapi.json`. Counts what must not be: a status of 500 or more (503 from
`/readyz` excepted), a close with 1011, a Python traceback in an answer or in the gateway's log, a gateway that does not answer afterwards. Prints each with the
input that led to it.
"""

import argparse
import asyncio
import sys
from collections import Counter
from contextlib import suppress
from random import Random

import uvloop

from deployment import Deployment, GatewayProcess, Table, deployment
from hostile import raw, requests, text
from wire import Wire, open_wire, upgrade

TRACES = (b"Traceback", b'File "/', b"site-packages")
CONNECTIONS = 32  # at once
PER_CONNECTION = 9  # messages; the tenth bad one within a minute closes the socket
ANSWER_WITHIN = 10.0  # s


class Findings:
    """What was seen; `bad` is what must not be."""

    def __init__(self) -> None:
        self.inputs: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.bad: list[str] = []

    def blame(self, what: str, input_: object) -> None:
        """Note what must not be."""
        self.bad.append(f"{what}: {str(input_)[:300]}")

    def look(self, answer: bytes, input_: object) -> None:
        """A text that a client got."""
        if any(trace in answer for trace in TRACES):
            self.blame(f"a trace for a client: {answer[:200]!r}", input_)

    def closed(self, code: int, input_: object) -> None:
        """A socket ended."""
        self.outcomes[f"close {code}"] += 1
        if code == 1011:
            self.blame("close 1011", input_)


async def _signed_in(running: Deployment, gateway: GatewayProcess, player: str, findings: Findings, sent: list[bytes]) -> Wire:
    hello = asyncio.get_running_loop().create_future()

    def on_text(answer: bytes) -> None:
        if not hello.done():
            hello.set_result(answer)
        findings.look(answer, sent)

    wire = await open_wire(gateway.port, upgrade(gateway.port, f"/ws/{player}", running.keys.token(player)), on_text)
    await asyncio.wait([hello, wire.closed], timeout=ANSWER_WITHIN, return_when=asyncio.FIRST_COMPLETED)
    return wire


async def messages(running: Deployment, gateway: GatewayProcess, count: int, random: Random, findings: Findings, name: str) -> None:
    """Hostile texts on signed-in sockets, a few on each."""
    left, turn = count, 0
    while left > 0:
        sent: list[bytes] = []
        turn += 1
        try:
            wire = await _signed_in(running, gateway, f"fuzz-{name}-{turn}", findings, sent)
        except OSError as error:
            findings.outcomes[f"refused: {error}"[:60]] += 1
            await asyncio.sleep(0.1)
            continue
        for _ in range(min(left, PER_CONNECTION)):
            sent.append(text(random))
            wire.send_frame(random.choice((1, 1, 1, 1, 1, 2)), sent[-1])
        left -= len(sent)
        findings.inputs["messages"] += len(sent)
        wire.send_frame(8, (1000).to_bytes(2))
        await _ended(wire, findings, sent)


async def frames(running: Deployment, gateway: GatewayProcess, count: int, random: Random, findings: Findings, name: str) -> None:
    """Bytes that are no frames; each may cost its connection."""
    for i in range(count):
        sent = [raw(random)]
        try:
            wire = await _signed_in(running, gateway, f"raw-{name}-{i}", findings, sent)
        except OSError as error:
            findings.outcomes[f"refused: {error}"[:60]] += 1
            await asyncio.sleep(0.1)
            continue
        wire.write(sent[0])
        wire.send_frame(8, (1000).to_bytes(2))
        findings.inputs["frames"] += 1
        await _ended(wire, findings, sent)


async def _ended(wire: Wire, findings: Findings, sent: object) -> None:
    """The close was sent; a gateway that still waits for the rest of a frame is left alone after a moment."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5 if wire.transport is not None else 0):
            findings.closed(await asyncio.shield(wire.closed), sent)
            return
    findings.outcomes["left waiting for the rest"] += 1
    wire.abort()


async def http(gateway: GatewayProcess, count: int, random: Random, findings: Findings) -> None:
    """Requests as no library writes them."""
    for _ in range(count):
        request = requests(random, gateway.port)
        findings.inputs["requests"] += 1
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        except OSError as error:
            findings.outcomes[f"refused: {error}"[:60]] += 1
            continue
        answer = b""
        with suppress(OSError, TimeoutError):
            writer.write(request)
            async with asyncio.timeout(0.5):
                answer = await reader.read(65536)
        writer.close()
        status = answer[9:12].decode(errors="replace") if answer.startswith(b"HTTP/1.1 ") else "none"
        findings.outcomes[f"status {status}"] += 1
        findings.look(answer, request)
        if status.startswith("5"):
            findings.blame(f"status {status}", request)


def described(running: Deployment, gateway: GatewayProcess, count: int, seed: int, findings: Findings) -> None:
    """Requests that schemathesis makes from the API's own description, as a player and as an admin."""
    import hypothesis
    import schemathesis

    schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    headers = [{"Authorization": f"Bearer {running.keys.token('fuzz', scope)}"} for scope in ("player", "player server admin")]
    for operation in operations:

        def ask(case: schemathesis.Case) -> None:
            number = findings.inputs["described requests"]
            findings.inputs["described requests"] += 1
            chosen = {**(case.headers or {}), **headers[number % 2]} if number % 5 else dict(case.headers or {})
            with suppress(UnicodeEncodeError, ValueError):  # the client library refuses to write it
                answer = case.call(base_url=gateway.url, headers=chosen, timeout=ANSWER_WITHIN)
                findings.outcomes[f"status {answer.status_code}"] += 1
                findings.look(answer.content, case)
                if answer.status_code >= 500 and not case.path.startswith("/readyz"):
                    findings.blame(f"status {answer.status_code} {answer.content[:100]!r}", f"{case.method} {case.path} {case.body!r}")

        settings = hypothesis.settings(
            max_examples=max(1, count // len(operations)),
            database=None,
            deadline=None,
            derandomize=False,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        )
        hypothesis.seed(seed)(settings(hypothesis.given(case=operation.as_strategy())(ask)))()


async def fuzz(running: Deployment, gateway: GatewayProcess, inputs: int, seed: int) -> Findings:
    """All four kinds."""
    findings, random = Findings(), Random(seed)

    def shares(percent: int) -> int:
        return max(1, inputs * percent // 100 // CONNECTIONS)

    tasks = []
    for i in range(CONNECTIONS):
        tasks.append(messages(running, gateway, shares(75), Random(random.random()), findings, str(i)))
        tasks.append(frames(running, gateway, shares(10), Random(random.random()), findings, str(i)))
        tasks.append(http(gateway, shares(10), Random(random.random()), findings))
    await asyncio.gather(*tasks)
    await asyncio.to_thread(described, running, gateway, inputs * 5 // 100, seed, findings)
    gateway.wait_ready()
    log = gateway.log.read_bytes()
    if b"Traceback" in log:
        findings.blame("a traceback in the log", log[log.index(b"Traceback") :][:1500].decode(errors="replace"))
    return findings


def main(inputs: int, seed: int) -> int:
    """Fuzz, and print what was seen."""
    with deployment(1) as running, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        findings = runner.run(fuzz(running, running.gateways[0], inputs, seed))
    for kind, count in sorted((findings.inputs + Counter()).items()):
        print(f"{kind:40} {count:8}")
    for kind, count in findings.outcomes.most_common(40):
        print(f"  {kind:38} {count:8}")
    for each in findings.bad[:20]:
        print(f"BAD {each}")
    table = Table()
    table.line("inputs", sum(findings.inputs.values()), "")
    table.line("5xx, 1011, traces: all that must not be", len(findings.bad), "", 0)
    return table.missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sys.exit(1 if main(arguments.inputs, arguments.seed) else 0)
