"""A programme in memory that takes forms: terms, two partners with links, and keyrings."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.intake import Intake
from shared.adapters.dynamodb.keyring_rows import keyring_row
from shared.adapters.dynamodb.link_rows import link_row
from shared.adapters.dynamodb.partners import enrolment_row, partner_row
from shared.adapters.dynamodb.programs import program_row, terms_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain.click_tokens import ClickToken, Keyring, SigningKey, issue
from shared.domain.keyed import email_hmac
from shared.domain.leads import Lead, Submission, normalise_email
from shared.domain.links import Link
from shared.domain.partners import Enrolment, Partner
from shared.domain.programs import Program, PublishedTerms
from shared.usecases.submit_referral import Received, open_program, submit_referral
from tests.builders.money import WORKED_EXAMPLE
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable

CORE = "test-core"
VAULT = "test-vault"
NOW = datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)
SECRET = b"server-secret-of-thirty-two-byte"
PARTNER_EMAIL = "pia@partner.test"
ORIGIN = "https://www.example.com"
KEYRING = Keyring(keys=(SigningKey(key_id="k1", secret=b"c" * 32, created_at=NOW),))


def program(**changes: Any) -> Program:  # noqa: ANN401 - any field
    """An active programme with one published version of its terms."""
    values: dict[str, Any] = {
        "program_id": "prg_1",
        "name": "Demo",
        "currency": "USD",
        "allowed_origins": (ORIGIN,),
        "terms_version": 2,
        "created_at": NOW,
    }
    return Program(**{**values, **changes})


def link(
    code: str = "pia-code",
    partner_id: str = "ptr_pia",
    **changes: Any,  # noqa: ANN401 - any field
) -> Link:
    """A live link of a partner."""
    values: dict[str, Any] = {
        "code": code,
        "program_id": "prg_1",
        "partner_id": partner_id,
        "destination": "https://www.example.com/",
        "created_at": NOW,
    }
    return Link(**{**values, **changes})


def partner(
    partner_id: str = "ptr_pia",
    **changes: Any,  # noqa: ANN401 - any field
) -> Partner:
    """An active partner."""
    values: dict[str, Any] = {
        "partner_id": partner_id,
        "kind": "referral_partner",
        "email_hmac": email_hmac(SECRET, normalise_email(PARTNER_EMAIL)),
        "created_at": NOW,
    }
    return Partner(**{**values, **changes})


def click_token(
    *,
    age: timedelta = timedelta(days=1),
    click_id: str = "clk_1",
    partner_id: str = "ptr_pia",
    code: str = "pia-code",
    program_id: str = "prg_1",
) -> str:
    """A genuine token of a click on a link, some time ago."""
    token = ClickToken(
        click_id=click_id,
        code=code,
        partner_id=partner_id,
        program_id=program_id,
        clicked_at=NOW - age,
    )
    return issue(token, KEYRING)


def submission(
    email: str = "lena@lead.test",
    **changes: Any,  # noqa: ANN401 - any field
) -> Submission:
    """A form with an address and nothing else; ``code`` and ``click_id`` stand for one of them."""
    for name in ("code", "click_id"):
        if name in changes:
            one = changes.pop(name)
            if one:
                changes[f"{name}s"] = (one,)
    lead_fields = {name: changes.pop(name) for name in ("company", "metadata") if name in changes}
    return Submission(lead=Lead(email=email, **lead_fields), **changes)


class World:
    """The tables with one programme in them, and the ways in."""

    def __init__(self) -> None:
        self.client = MemoryDynamo()
        self._numbers = itertools.count(1)
        self.save(keys.click_keyring(), keyring_row(KEYRING))
        server = SigningKey(key_id="s1", secret=SECRET, created_at=NOW)
        self.save(keys.server_keyring(), keyring_row(Keyring(keys=(server,))))
        self.save_program(program())
        for version, days in ((1, 30), (2, 90)):
            self.publish(version, {"windows": {"attribution_days": days}})
        self.save_partner(partner())
        self.save_partner(partner("ptr_otto", email_hmac=""))
        self.save_link(link())
        self.save_link(link("otto-code", "ptr_otto"))

    @property
    def store(self) -> Intake:
        """A store with nothing remembered, as a fresh process has it."""
        return Intake(self.client, core=CORE, vault=VAULT)

    def new_id(self, prefix: str) -> str:
        """Mint ids in sequence."""
        return f"{prefix}_{next(self._numbers):06d}"

    def save(self, key: keys.Key, row: dict[str, Any]) -> None:
        """Put a row into the core table."""
        transact(self.client, [put(CORE, key, row)])

    def publish(self, version: int, changes: dict[str, Any], program_id: str = "prg_1") -> None:
        """Store the worked example's terms with changes as a version of a programme."""
        terms = PublishedTerms(
            program_id=program_id,
            version=version,
            definition={**WORKED_EXAMPLE, **changes},
            effective_from=NOW,
            published_by="root",
        )
        self.save(keys.terms(program_id, version), terms_row(terms))

    def save_program(self, saved: Program) -> None:
        """Store a programme."""
        self.save(keys.program(saved.program_id), program_row(saved))

    def save_link(self, saved: Link) -> None:
        """Store a link."""
        self.save(keys.link(saved.code), link_row(saved))

    def save_partner(self, saved: Partner, *, version: int = 1) -> None:
        """Store a partner that accepted a version of the programme's terms."""
        enrolment = Enrolment(
            partner_id=saved.partner_id,
            program_id="prg_1",
            terms_version=version,
            accepted_at=NOW,
        )
        self.save(keys.partner(saved.partner_id), partner_row(saved))
        self.save(keys.enrolment(saved.partner_id, "prg_1"), enrolment_row(enrolment))

    def submit(
        self,
        sent: Submission,
        *,
        now: datetime = NOW,
        store: Intake | None = None,
        program_id: str = "prg_1",
    ) -> Received:
        """Take a form in, as one request does."""
        used = store or self.store
        return submit_referral(
            used,
            open_program(used, program_id),
            sent,
            now=now,
            new_id=self.new_id,
            correlation_id="req-1",
        )

    def rows(self, prefix: str, table: str = CORE) -> list[dict[str, Any]]:
        """Return the rows whose partition begins with a prefix."""
        return [row for row in self.client.dump().get(table, []) if row["pk"].startswith(prefix)]

    def row(self, key: keys.Key, table: str = CORE) -> dict[str, Any] | None:
        """Return one row."""
        found = [row for row in self.client.dump().get(table, []) if (row["pk"], row["sk"]) == key]
        return found[0] if found else None

    def crash_once(self, name: str, make: Callable[[], Exception], *, after: bool) -> None:
        """Let the next call of a name fail, before or after it took effect."""
        hooks = self.client.after if after else self.client.before

        def fail(*_: Any) -> None:  # noqa: ANN401 - any request
            del hooks[name]
            raise make()

        hooks[name] = fail
