"""The fuzzer of `loadtest/fuzz.py`, a few hundred inputs of it: nothing that must not be, and the gateway lives."""

import fuzz
from deployment import Deployment


async def test_hostile_inputs_get_defined_answers(running: Deployment) -> None:
    findings = await fuzz.fuzz(running, running.gateways[0], inputs=700, seed=20)
    assert findings.bad == []
    assert min(findings.inputs[kind] for kind in ("messages", "frames", "requests", "described requests")) > 0
