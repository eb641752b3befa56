"""The generated CustomResourceDefinition: what is checked in is what the structs say; everything is bounded and explained."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from matchmaking.commands.crd import manifest
from matchmaking.core.crd import definition
from matchmaking.core.lint import FIELDS
from matchmaking.core.pool import load_pool

ROOT = Path(__file__).parents[2]
CHECKED_IN = ROOT / "charts" / "game-session-manager" / "files" / "crd.yaml"
MANIFESTS = sorted((ROOT / "pools").rglob("*.yaml"))


def schema() -> dict[str, Any]:
    found: dict[str, Any] = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")


def test_the_file_is_what_the_structs_say() -> None:
    assert CHECKED_IN.read_text() == manifest(), "run: matchmaking crd charts/game-session-manager/files/crd.yaml"


def test_every_field_is_explained() -> None:
    unexplained = [
        path for path, node in nodes(schema()) if path.startswith(".spec") and "[]" not in path[-2:] and not node.get("description")
    ]
    assert unexplained == []


def test_everything_has_bounds() -> None:
    for path, node in nodes(schema()):
        if not path.startswith((".spec", ".status")):
            continue
        kind = node.get("type")
        if kind == "string":
            assert "enum" in node or "maxLength" in node, path
        elif kind == "array":
            assert "maxItems" in node, path
            assert "x-kubernetes-list-type" in node, path
        elif kind in {"integer", "number"}:
            assert "minimum" in node, path
            assert "maximum" in node, path
        elif kind == "object":
            assert node["properties"], path
        else:
            assert kind == "boolean" or node.get("x-kubernetes-int-or-string"), path


def test_lists_of_named_things_are_maps_by_name() -> None:
    lists = {path: node.get("x-kubernetes-list-map-keys") for path, node in nodes(schema()) if node.get("x-kubernetes-list-type") == "map"}
    assert lists == {
        ".spec.regions": ["name"],
        ".spec.teams": ["name"],
        ".spec.teams[].roles": ["name"],
        ".spec.rules": ["name"],
        ".spec.attributes": ["name"],
        ".status.queues": ["region", "mode"],
        ".status.conditions": ["type"],
    }


def test_each_rule_says_which_of_its_fields_belong_to_which_type() -> None:
    rules = schema()["properties"]["spec"]["properties"]["rules"]["items"]
    told = {rule["rule"]: rule["message"] for rule in rules["x-kubernetes-validations"]}
    assert told["!has(self.maxDistance) || self.type in ['distance', 'teamDistance']"].startswith(
        "only rules of type distance or teamDistance"
    )
    assert told["!(self.type in ['latency']) || has(self.maxLatencyMs)"] == "rules of type latency need maxLatencyMs"
    fields = {name for of in FIELDS.values() for name in of} - {"minPlayers"}
    assert fields <= rules["properties"].keys(), "a field that may expand is missing"


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_every_pool_that_we_ship_passes_the_schema(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        load_pool(document)
        jsonschema.Draft4Validator(plain(schema())).validate(document)


def plain(node: Any) -> Any:
    """The schema for a plain validator: unknown fields refused, as `kubectl apply` does; int-or-string spelled out."""
    if isinstance(node, list):
        return [plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: plain(value) for key, value in node.items()}
    if made.pop("x-kubernetes-int-or-string", False):
        made["type"] = ["integer", "string"]
    if "properties" in made and made.get("type") == "object":
        made["additionalProperties"] = False
    return made


def test_the_operators_readme_tells_its_environment() -> None:
    from matchmaking.commands.docs import generate
    from matchmaking_operator.documentation import PARTS

    text = (ROOT / "operator" / "README.md").read_text()
    assert generate(text, PARTS) == text, "run: python -m matchmaking_operator.documentation operator/README.md"
