"""What the dashboards' panels ask of Prometheus."""

import json
import re

from matchmaking.telemetry.dashboards.grafana import render
from matchmaking.telemetry.dashboards.pool import pool_board
from support.cluster import CHART


def panel_queries(pool: str) -> dict[str, str]:
    """Every query of every panel of the checked-in dashboards, and of a pool's, with Grafana's variables filled in; by where it stands."""
    boards = [json.loads(file.read_text()) for file in sorted((CHART / "files" / "dashboards").glob("*.json"))]
    boards.append(render(pool_board(pool, f"mmp-{pool}")))
    assert len(boards) == 4
    found = {}
    for board in boards:
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                expression = target["expr"].replace("$__rate_interval", "20s").replace("$__range", "1m")
                found[f"{board['title']} / {panel['title']} / {target['refId']}"] = re.sub(r"\$\w+", ".+", expression)
    assert len(found) > 80
    return found
