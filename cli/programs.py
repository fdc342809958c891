"""Programmes and their terms."""

import argparse
from pathlib import Path
from typing import Any, Final

from cli.output import Output
from cli.refusals import DONE, WrongInputError
from shared.adapters.management_api import Management

COLUMNS: Final = ("id", "name", "status", "currency", "terms_version", "created_at")
MAX_TERMS: Final = 128 * 1024
_YAML: Final = frozenset({".yaml", ".yml"})


def show_all(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """List programmes."""
    output.listed(api.items("/programs", most=asked.limit + 1), COLUMNS, asked.limit)
    return DONE


def show(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Show one programme."""
    output.record(api.get(f"/programs/{asked.program}"))
    return DONE


def create(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Create a programme."""
    body: dict[str, Any] = {
        "id": asked.id,
        "name": asked.name,
        "currency": asked.currency,
        "time_zone": asked.time_zone,
        "landing_hosts": asked.landing_host,
        "fallback_url": asked.fallback_url,
    }
    output.record(api.post("/programs", {name: value for name, value in body.items() if value}))
    return DONE


def validate_terms(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Check a definition against the programme without publishing it."""
    found = _send(api, asked, "?dry_run=true")
    lines = [f"valid; it would be version {found['version']}"]
    output.lines([*lines, *(f"warning: {text}" for text in found["warnings"])], found)
    return DONE


def diff_terms(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Say in plain words what a definition would change."""
    found = _send(api, asked, "?dry_run=true")
    output.lines(found["changes"] or ["nothing changes"], found)
    return DONE


def publish_terms(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Publish a definition as the next version."""
    found = _send(api, asked)
    lines = [f"published as version {found['version']}, effective {found['effective_from']}"]
    lines += [f"warning: {text}" for text in found["warnings"]]
    output.lines([*lines, *found["changes"]], found)
    return DONE


def show_terms(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Show a published version, by default the newest, as ``publish`` would take it again."""
    version = asked.version or api.get(f"/programs/{asked.program}")["terms_version"]
    found = api.get(f"/programs/{asked.program}/terms/{version}")
    output.note(f"version {version}, {found['effective_from']}, by {found['published_by']}")
    output.document(found["definition"], found)
    return DONE


def _send(api: Management, asked: argparse.Namespace, query: str = "") -> dict[str, Any]:
    path = Path(asked.file)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise WrongInputError(f"can't read {path}") from error
    if len(raw) > MAX_TERMS:
        raise WrongInputError(f"{path} is over {MAX_TERMS // 1024} KB")
    kind = "application/yaml" if path.suffix.lower() in _YAML else "application/json"
    return api.post(f"/programs/{asked.program}/terms{query}", raw, content_type=kind)
