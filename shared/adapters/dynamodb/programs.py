"""Programmes and the published versions of their terms."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.adapters.dynamodb import keys, lists
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.transactions import (
    ConditionFailedError,
    put_new,
    transact,
    update,
)
from shared.domain.errors import ConflictError
from shared.domain.links import GPC
from shared.domain.programs import DEFAULT_ADJUSTMENT_LIMIT, Program, PublishedTerms

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_LAST_VERSION: Final = 999_999


def program_row(program: Program) -> Item:
    """Return the row of a programme with its list entry."""
    created_at = program.created_at.isoformat()
    return {
        "program_id": program.program_id,
        "name": program.name,
        "currency": program.currency,
        "time_zone": program.time_zone,
        "status": program.status,
        "enrolment": program.enrolment,
        "landing_hosts": list(program.landing_hosts),
        "allowed_origins": list(program.allowed_origins),
        "thank_you_url": program.thank_you_url,
        "fallback_url": program.fallback_url,
        "click_param": program.click_param,
        "utm_templates": {name: dict(utm) for name, utm in program.utm_templates.items()},
        "keeps_ad_ids": program.keeps_ad_ids,
        "privacy_signals": program.privacy_signals,
        "publish_rewards": program.publish_rewards,
        "adjustment_limit": program.adjustment_limit,
        "customers_listed": program.customers_listed,
        "terms_version": program.terms_version,
        "version": program.version,
        "created_at": created_at,
        **keys.in_list(
            lists.PROGRAMS,
            lists.EVERYWHERE,
            f"{created_at}#{program.program_id}",
            spread_by=program.program_id,
        ),
    }


def program_from(row: Item) -> Program:
    """Return a programme from its row."""
    return Program(
        program_id=row["program_id"],
        name=row["name"],
        currency=row["currency"],
        time_zone=row["time_zone"],
        status=row["status"],
        enrolment=row["enrolment"],
        landing_hosts=tuple(row["landing_hosts"]),
        allowed_origins=tuple(row["allowed_origins"]),
        thank_you_url=row["thank_you_url"],
        fallback_url=row["fallback_url"],
        click_param=row["click_param"],
        utm_templates=row.get("utm_templates", {}),
        keeps_ad_ids=row.get("keeps_ad_ids", False),
        privacy_signals=row.get("privacy_signals", GPC),
        # Programmes stored before there was such a thing keep it to themselves.
        publish_rewards=row.get("publish_rewards", False),
        adjustment_limit=row.get("adjustment_limit", DEFAULT_ADJUSTMENT_LIMIT),
        customers_listed=row.get("customers_listed", False),
        terms_version=row["terms_version"],
        version=row["version"],
        created_at=datetime.fromisoformat(row["created_at"]),
    )


def terms_row(terms: PublishedTerms) -> Item:
    """Return the row of one version; the definition is JSON text, so that it stays as written."""
    return {
        "program_id": terms.program_id,
        "version": terms.version,
        "definition": json.dumps(terms.definition, separators=(",", ":")),
        "effective_from": terms.effective_from.isoformat(),
        "published_by": terms.published_by,
    }


def terms_from(row: Item) -> PublishedTerms:
    """Return one version of the terms from its row."""
    return PublishedTerms(
        program_id=row["program_id"],
        version=row["version"],
        definition=json.loads(row["definition"]),
        effective_from=datetime.fromisoformat(row["effective_from"]),
        published_by=row["published_by"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Programmes in the core table."""

    client: "DynamoDBClient"
    core: str

    def program(self, program_id: str) -> Program | None:
        """Read a programme consistently."""
        row = get(self.client, self.core, keys.program(program_id))
        return program_from(row) if row else None

    def add_program(self, program: Program, *, mark: str) -> Program:
        """Store a new programme; answer the stored one if this very request stored it before.

        Raises:
            ConflictError: ``program_exists`` when the id is taken.
        """
        row = {**program_row(program), "created_by": mark}
        try:
            transact(self.client, [put_new(self.core, keys.program(program.program_id), row)])
        except ConditionFailedError as error:
            found = error.failed.get(0)
            if found and found.get("created_by") == mark:
                return program_from(found)
            raise ConflictError("program_exists", "this programme id is taken") from error
        return program

    def save_program(self, program: Program, *, changed: Sequence[str]) -> Program:
        """Write the ``changed`` fields if the programme is still in the version that was read.

        Raises:
            StaleVersionError: when somebody else wrote first.
        """
        row = program_row(program)
        transact(
            self.client,
            [
                update(
                    self.core,
                    keys.program(program.program_id),
                    assign={
                        **{name: row[name] for name in changed},
                        "version": program.version + 1,
                    },
                    expect={"version": program.version},
                )
            ],
        )
        saved = {**row, "version": program.version + 1}
        return program_from(saved)

    def publish(self, terms: PublishedTerms, program: Program, *, mark: str) -> None:
        """Store the next version of the terms and make it the programme's newest.

        Raises:
            StaleVersionError: when the programme changed since it was read.
        """
        transact(
            self.client,
            [
                put_new(
                    self.core,
                    keys.terms(terms.program_id, terms.version),
                    {**terms_row(terms), "created_by": mark},
                ),
                update(
                    self.core,
                    keys.program(terms.program_id),
                    assign={"terms_version": terms.version, "version": program.version + 1},
                    expect={"version": program.version},
                ),
            ],
        )

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Read one version of the terms."""
        row = get(self.client, self.core, keys.terms(program_id, version))
        return terms_from(row) if row else None

    def versions(self, program_id: str, *, before: int, limit: int) -> list[PublishedTerms]:
        """Return at most ``limit`` versions below ``before``, newest first, consistently."""
        partition, sort_key = keys.terms(program_id, before)
        return [
            terms_from(row)
            for row in query(
                self.client,
                self.core,
                partition,
                before=sort_key,
                limit=limit,
                newest_first=True,
            )
            if "definition" in row
        ]

    def published_by_request(self, program_id: str, mark: str) -> PublishedTerms | None:
        """Return the version that this very request published before, if it is a recent one."""
        partition, sort_key = keys.terms(program_id, _LAST_VERSION)
        rows = query(
            self.client, self.core, partition, before=sort_key, limit=10, newest_first=True
        )
        for row in rows:
            if row.get("created_by") == mark:
                return terms_from(row)
        return None
