"""Grafana's dashboards, written from descriptions: etc/grafana/dashboards/*.json.

scripts/gen_docs.py writes them with the other documents. What a panel shows is
one or more expressions of PromQL; tests/witnesses asks a Prometheus each of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from scripts.boards.fleet import FLEET
from scripts.boards.health import HEALTH
from scripts.boards.kit import Board, Panel
from scripts.boards.router import ROUTER
from scripts.boards.storage import STORAGE

FOLDER = "etc/grafana/dashboards"
BOARDS = (HEALTH, FLEET, STORAGE, ROUTER)
_WIDTH, _HEIGHT, _ROW_HEIGHT = 24, 7, 1
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def documents() -> Mapping[str, Callable[[], str]]:
    """Return what writes each file."""
    return {f"{FOLDER}/{board.uid}.json": partial(written, board) for board in BOARDS}


def written(board: Board) -> str:
    """Return a dashboard as Grafana reads it."""
    return json.dumps(_board(board), indent=2, ensure_ascii=False) + "\n"


def _board(board: Board) -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in board.rows:
        panels.append(
            {
                "type": "row",
                "id": len(panels) + 1,
                "title": title,
                "collapsed": False,
                "gridPos": {"h": _ROW_HEIGHT, "w": _WIDTH, "x": 0, "y": top},
                "panels": [],
            }
        )
        top += _ROW_HEIGHT
        left = 0
        for panel in row:
            if left + panel.width > _WIDTH:
                left, top = 0, top + _HEIGHT
            place = {"h": _HEIGHT, "w": panel.width, "x": left, "y": top}
            panels.append({"id": len(panels) + 1, "gridPos": place, **_panel(panel)})
            left += panel.width
        top += _HEIGHT
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.text,
        "tags": ["mtd"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables(board)},
        "annotations": {"list": []},
        "links": [
            {"type": "dashboards", "tags": ["mtd"], "title": "mtd", "asDropdown": True, "keepTime": True}
        ],
        "panels": panels,
    }


def _panel(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.red_above is not None:
        steps.append({"color": "red", "value": panel.red_above})
    custom = {} if panel.stat else {"custom": {"fillOpacity": 8, "showPoints": "never", "spanNulls": False}}
    options: dict[str, Any] = (
        {
            "reduceOptions": {"calcs": ["lastNotNull"]},
            "colorMode": "background_solid" if panel.red_above else "value",
        }
        if panel.stat
        else {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    )
    return {
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                **({} if panel.signed else {"min": 0}),
                "thresholds": {"mode": "absolute", "steps": steps},
                **custom,
            },
            "overrides": [],
        },
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend,
            }
            for number, (expression, legend) in enumerate(panel.lines)
        ],
    }


def _variables(board: Board) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": "datasource",
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
            "refresh": 1,
        }
    ]
    for name, label, query in board.variables:
        found.append(
            {
                "name": name,
                "label": label,
                "type": "query",
                "datasource": _SOURCE,
                "query": {"query": query, "refId": name},
                "refresh": 2,
                "sort": 1,
                "multi": True,
                "includeAll": True,
                "allValue": ".*",
                "current": {"text": "All", "value": "$__all"},
            }
        )
    return found
