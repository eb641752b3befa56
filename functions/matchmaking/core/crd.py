"""The CustomResourceDefinition of `MatchmakingPool`: the structs' schemas, and CEL rules for what takes more than one field to see.

The rules are those of `pool.check_references`, in Kubernetes' words, so that `kubectl apply` refuses what the operator could only complain about. Every
list and text is bounded, which keeps the rules' estimated cost under the API server's budget.
"""

from typing import Any

from .pool import KIND, PoolRules
from .pool_status import PoolStatus
from .schema import Schema, schema_of

GROUP, VERSION = "gamesessions.dev", "v1alpha1"
PLURAL = "matchmakingpools"
NAME = f"{PLURAL}.{GROUP}"

COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "Whether the pool works."),
    ("Queues", "integer", ".status.totals.queues", "Regions times modes."),
    ("Waiting", "integer", ".status.totals.waiting", "Tickets that wait."),
    ("Matchers", "integer", ".status.totals.matchers", "Matchers at work."),
    ("P95 wait", "string", ".status.totals.waitP95", "95 of 100 tickets matched lately had waited no longer."),
    ("Age", "date", ".metadata.creationTimestamp", "Since when the pool exists."),
)


def _rule(rule: str, message: str, path: str = "", **more: str) -> Schema:
    return {"rule": rule, "message": message, **({"fieldPath": path} if path else {}), **more}


def _or(name: str, default: int) -> str:
    return f"(has({name}) ? {name} : {default})"


# CEL has no `let`; a list of one thing, gone through once, binds it to a name, which keeps the estimated cost of nested loops low.
_REGIONS = "[self.regions.map(r, r.name)]"
_OWNERS = "[self.teams.map(t, t.name) + (has(self.rules) ? self.rules.map(r, r.name) : [])]"
_STEPS = "has(self.expansions) && has(self.expansions.steps)"
_KNOWN = "s.target.split('.')[0] in names"

ROOT_RULES = [
    _rule(
        "self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
        "a pool's name becomes part of keys and labels: at most 63 lower-case letters, digits and dashes, no dots",
    )
]

# Path below the resource → rules; `[]` stands for a list's items.
RULES: dict[str, list[Schema]] = {
    "spec": [
        _rule(
            f"!has(self.party) || !has(self.party.maxSize) || self.teams.exists(t, {_or('t.maxPlayers', 1)} >= self.party.maxSize)",
            "a party of maxSize fits into no team; lower it, or raise a team's maxPlayers",
            ".party.maxSize",
        ),
        _rule(
            f"self.teams.size() > 1 || self.teams.all(t, {_or('t.quantity', 1)} * {_or('t.maxPlayers', 1)} > 1)",
            "a match needs at least two players; raise quantity or maxPlayers",
            ".teams",
        ),
        _rule(
            f"{_REGIONS}.all(names, self.regions.all(r, !has(r.neighbors) || r.neighbors.all(n, n in names)))",
            "every neighbor is a region of this pool",
            ".regions",
        ),
        _rule(
            f"!({_STEPS}) || {_OWNERS}.all(names, self.expansions.steps.all(s, {_KNOWN}))",
            "every target begins with the name of a rule or a team of this pool; see `matchmaking lint` for which one does not",
            ".expansions.steps",
        ),
    ],
    "spec.regions[]": [_rule("!has(self.neighbors) || !(self.name in self.neighbors)", "a region is no neighbor of itself", ".neighbors")],
    "spec.teams[]": [
        _rule(f"{_or('self.minPlayers', 1)} <= {_or('self.maxPlayers', 1)}", "must not be over maxPlayers (1 if absent)", ".minPlayers")
    ],
    "spec.teams[].roles[]": [_rule(f"{_or('self.min', 0)} <= {_or('self.max', 1000)}", "must not be over max", ".min")],
    "spec.scaling": [
        _rule(
            f"{_or('self.minMatchers', 0)} <= {_or('self.maxMatchers', 8)}", "must not be over maxMatchers (8 if absent)", ".minMatchers"
        ),
        _rule(
            "!has(self.pollingInterval) || (duration(self.pollingInterval) >= duration('1s') && "
            "duration(self.pollingInterval).getMilliseconds() == 0)",
            "must be whole seconds, at least 1s",
            ".pollingInterval",
        ),
    ],
    "spec.expansions.steps[]": [
        _rule(
            "(has(self.value) ? 1 : 0) + (has(self.every) ? 1 : 0) + (has(self.disable) && self.disable ? 1 : 0) == 1",
            "give exactly one of `value`, `every` (with `by`), `disable: true`",
        ),
        _rule("!has(self.every) || has(self.by)", "`every` needs `by`", reason="FieldValueRequired"),
        _rule("!has(self.every) || duration(self.every) > duration('0s')", "must be longer than 0s", ".every"),
        _rule(
            "(has(self.disable) && self.disable) || self.target.contains('.')",
            "say which field changes, for example `skill.maxDistance`",
            ".target",
        ),
    ],
}


def definition() -> dict[str, Any]:
    """The whole resource definition, as it is applied."""
    spec, status = schema_of(PoolRules), schema_of(PoolStatus)
    for path, rules in RULES.items():
        target = _descend(spec, path)
        target["x-kubernetes-validations"] = [*target.get("x-kubernetes-validations", ()), *rules]
    schema: Schema = {
        "type": "object",
        "description": "Rules and queues of one kind of match: who waits where, who may meet whom, and how much of it runs.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": {**status, "description": "What the operator tells; written by nobody else."},
        },
        "x-kubernetes-validations": ROOT_RULES,
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path, "description": what} for name, kind, path, what in COLUMNS
        ],
    }
    names = {"kind": KIND, "listKind": f"{KIND}List", "plural": PLURAL, "singular": KIND.lower(), "shortNames": ["mmp"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME, "annotations": {"helm.sh/resource-policy": "keep"}},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": {**names, "categories": ["matchmaking"]}, "versions": [version]},
    }


def _descend(spec: Schema, path: str) -> Schema:
    at = spec
    for name in path.split(".")[1:]:
        at = at["properties"][name.removesuffix("[]")]
        if name.endswith("[]"):
            at = at["items"]
    return at
