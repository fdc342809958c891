"""Partners and their enrolments."""

import argparse
from typing import Final

from cli.output import Output
from cli.refusals import DONE
from shared.adapters.management_api import Management

COLUMNS: Final = ("id", "name", "email", "kind", "status", "country", "created_at")


def show_all(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """List partners; names and addresses only for keys that may see them."""
    output.listed(api.items("/partners", most=asked.limit + 1), COLUMNS, asked.limit)
    return DONE


def create(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Create a partner."""
    body = {"name": asked.name, "email": asked.email, "kind": asked.kind, "country": asked.country}
    output.record(api.post("/partners", body))
    return DONE


def enrol(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Enrol a partner, who has accepted the newest terms."""
    given = {"tier": asked.tier, "group": asked.group, "cause": asked.cause}
    body = {
        "partner_id": asked.partner,
        "program_id": asked.program,
        "accept_terms": True,
        **{name: value for name, value in given.items() if value},
    }
    output.record(api.post("/enrolments", body))
    return DONE
