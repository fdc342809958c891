"""What was set aside: events that got nowhere, deliveries that nobody understood."""

import argparse
from collections.abc import Iterable
from typing import Any, Final

from cli.output import Output
from cli.refusals import DONE
from shared.adapters.management_api import Management

EVENTS: Final = ("id", "name", "program_id", "parked_at", "reason", "error")
DELIVERIES: Final = ("id", "source_id", "kind", "received_at", "reasons")


def events(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """List events that were set aside."""
    output.listed(api.items("/events", most=asked.limit + 1), EVENTS, asked.limit)
    return DONE


def deliveries(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """List a programme's deliveries that wait, with their reasons."""
    found = api.items("/deliveries", most=asked.limit + 1, program_id=asked.program)
    output.listed(found, DELIVERIES, asked.limit)
    return DONE


def redrive(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Send events that were set aside again, all or those that fit."""
    given = _given(asked, "reason", "error", "name", "program")
    return _count(api.each_page("/events/redrive", **given), "redriven", output)


def replay(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Apply a programme's waiting deliveries again, all or those that fit."""
    given = _given(asked, "program", "source", "reason")
    return _count(api.each_page("/deliveries/replay", **given), "replayed", output)


def _given(asked: argparse.Namespace, *names: str) -> dict[str, str]:
    spelt = {"program": "program_id", "source": "source_id"}
    values = {spelt.get(name, name): getattr(asked, name) for name in names}
    return {name: value for name, value in values.items() if value}


def _count(pages: Iterable[list[dict[str, Any]]], name: str, output: Output) -> int:
    output.record({name: sum(len(items) for items in pages)})
    return DONE
