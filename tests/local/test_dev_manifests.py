"""Pools from YAML files: the shipped ones are found, and faults are named with their file."""

from pathlib import Path

import pytest

from matchmaking.local.errors import DevelopmentError
from matchmaking.local.manifests import default_files, read_pools

POOL = """
apiVersion: gamesessions.dev/v1alpha1
kind: MatchmakingPool
metadata: {name: NAME}
spec: {regions: [{name: local}], modes: [any], teams: [{name: side, quantity: 2}]}
"""


def test_the_shipped_pools() -> None:
    duel, squads, arena = read_pools(default_files())
    assert (duel.name, squads.name, arena.name) == ("duel", "squads", "arena")
    assert arena.spec.acceptance.required
    assert [region.name for region in duel.spec.regions] == ["local", "eu-west", "us-east"]
    assert squads.spec.min_match_players == 10


def test_several_pools_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "pools.yaml"
    path.write_text(POOL.replace("NAME", "a") + "---\n" + POOL.replace("NAME", "b"))
    assert [pool.name for pool in read_pools([path])] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no pool in"),
        (":\n  - [", "is no YAML"),
        (POOL.replace("NAME", "a").replace("modes", "moods"), "moods"),
        (POOL, "metadata.name"),
        ((POOL + "---\n" + POOL).replace("NAME", "twin"), "another pool of the name `twin`"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(DevelopmentError, match=r"bad\.yaml") as fault:
        read_pools([path])
    assert what in str(fault.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DevelopmentError, match="cannot be read"):
        read_pools([tmp_path / "missing.yaml"])
