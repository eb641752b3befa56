"""Writes tests/charts/schemas: what other projects' definitions say of the kinds that the chart makes, as strict JSON schemas. Needs Go, for their modules.

python tests/charts/write_schemas.py
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "schemas"
SOURCES = {
    "github.com/prometheus-operator/prometheus-operator@v0.83.0": [
        "example/prometheus-operator-crd/*_podmonitors.yaml",
        "example/prometheus-operator-crd/*_prometheusrules.yaml",
    ],
    "github.com/kedacore/keda/v2@v2.21.0": [
        "config/crd/bases/keda.sh_scaledobjects.yaml",
        "config/crd/bases/keda.sh_triggerauthentications.yaml",
    ],
    "sigs.k8s.io/gateway-api@v1.3.0": ["config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"],
}
ENVELOPE = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}


def strict(schema: Any) -> Any:
    """Without words for people and without fields that nobody declared; what only Kubernetes understands is left out."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    kept = {
        name: schema[name]
        for name in ("type", "enum", "required", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern")
        if name in schema
    }
    if kept.get("pattern", "").startswith("^(?i)"):
        del kept["pattern"]  # Go's way of saying that case does not matter, which Python's expressions do not have there
    if "properties" in schema:
        kept["properties"] = {name: strict(each) for name, each in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            kept["additionalProperties"] = False
    elif "additionalProperties" in schema:
        kept["additionalProperties"] = strict(schema["additionalProperties"])
    if "items" in schema:
        kept["items"] = strict(schema["items"])
    return kept


def main() -> None:
    """One file for each kind."""
    FOLDER.mkdir(exist_ok=True)
    for module, patterns in SOURCES.items():
        told = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, text=True, check=True, cwd="/")
        folder = Path(json.loads(told.stdout)["Dir"])
        for pattern in patterns:
            for file in folder.glob(pattern):
                definition = yaml.safe_load(file.read_text())
                schema = strict(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
                schema["properties"] |= ENVELOPE
                kind = definition["spec"]["names"]["kind"]
                (FOLDER / f"{kind}.json").write_text(
                    json.dumps({"$comment": f"{module} {file.name}", **schema}, indent=1, sort_keys=True) + "\n"
                )


if __name__ == "__main__":
    main()
