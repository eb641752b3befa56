"""Reads pools from their YAML files: the same manifests that the cluster takes."""

from collections.abc import Sequence
from pathlib import Path

import yaml

import matchmaking
from matchmaking.core.errors import InvalidPoolError
from matchmaking.core.pool import MatchmakingPool, load_pool

from .errors import DevelopmentError

DEFAULT_POOLS = ("duel.yaml", "squads.yaml", "arena.yaml")


def default_files() -> list[Path]:
    """The pools that we ship: inside the installed package, or else beside it in the repository."""
    package = Path(matchmaking.__file__).parent
    for folder in (package / "pools", package.parent.parent / "pools"):
        if all((folder / name).is_file() for name in DEFAULT_POOLS):
            return [folder / name for name in DEFAULT_POOLS]
    raise DevelopmentError("the default pools are missing from this installation; name files with --pool")


def read_pools(files: Sequence[Path]) -> list[MatchmakingPool]:
    """The pools of these files, each of one or several YAML documents.

    Raises:
        DevelopmentError: a file cannot be read, is no YAML, or has no valid pool; the text says which and where.
    """
    pools: dict[str, MatchmakingPool] = {}
    for path in files:
        for document in _documents(path):
            try:
                pool = load_pool(document)
            except InvalidPoolError as error:
                raise DevelopmentError(f"{path}: {error}") from error
            if pool.name in pools:
                raise DevelopmentError(f"{path}: there is another pool of the name `{pool.name}`; give one of them another metadata.name")
            pools[pool.name] = pool
    if not pools:
        raise DevelopmentError(f"no pool in {', '.join(map(str, files))}")
    return list(pools.values())


def _documents(path: Path) -> list[object]:
    try:
        return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document is not None]
    except (OSError, UnicodeDecodeError) as error:
        raise DevelopmentError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise DevelopmentError(f"{path} is no YAML: {error}") from error
