"""A programme in memory with two webhook sources and referrals that wait for their deals."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.keyring_rows import keyring_row
from shared.adapters.dynamodb.merges import AppliedDeliveries
from shared.adapters.dynamodb.referrals import referral_row
from shared.adapters.dynamodb.sources import source_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.adapters.dynamodb.waiting import with_claim
from shared.domain.click_tokens import ClickToken, Keyring, SigningKey, issue
from shared.domain.errors import UnavailableError
from shared.domain.keyed import email_hmac
from shared.domain.leads import normalise_email
from shared.domain.referrals import Referral
from shared.domain.signatures import SignedRequest
from shared.domain.sources import Source
from shared.domain.stages import Stage, StageMap
from shared.runtime.http import parse_json
from shared.usecases.apply_delivery import Applied, apply_delivery
from shared.usecases.receive_delivery import Received, receive_delivery
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Mapping

CORE = "test-core"
VAULT = "test-vault"
NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
API_URL = "https://api.example.test"
HUBSPOT_SECRET = "hubspot-client-secret-0001"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"a standard webhooks key!").decode()
SERVER_SECRET = b"server-secret-of-thirty-two-byte"
KEYRING = Keyring(keys=(SigningKey(key_id="k1", secret=b"c" * 32, created_at=NOW),))
STAGES = StageMap(
    stages=(
        Stage(stage="accepted", rank=1, outcome="open", milestone="accepted"),
        Stage(stage="qualified", rank=2, outcome="open", milestone="qualified"),
        Stage(stage="negotiation", rank=3, outcome="open"),
        Stage(stage="won", rank=4, outcome="won", milestone="won"),
        Stage(stage="lost", rank=5, outcome="lost"),
    )
)


def source(kind: str = "hubspot", **changes: Any) -> Source:  # noqa: ANN401 - any field
    """A webhook source with one live secret."""
    secret = HUBSPOT_SECRET if kind == "hubspot" else STANDARD_SECRET
    values: dict[str, Any] = {
        "source_id": f"src_{kind}",
        "program_id": "prg_1",
        "kind": kind,
        "name": kind,
        "secrets": (secret.encode(),),
        "stage_map": STAGES,
        "default_currency": "USD",
        "created_at": NOW,
    }
    return Source(**{**values, **changes})


def referral(number: int = 1, **changes: Any) -> Referral:  # noqa: ANN401 - any field
    """A referral that came by a link and has no deal yet."""
    values: dict[str, Any] = {
        "referral_id": f"ref_{number}",
        "program_id": "prg_1",
        "lead_id": f"led_{number}",
        "partner_id": "ptr_1",
        "terms_version": 1,
        "submitted_at": NOW - timedelta(days=1),
        "link_code": f"code-{number}",
        "click_id": f"clk_{number}",
    }
    return Referral(**{**values, **changes})


def token(number: int = 1, program_id: str = "prg_1") -> str:
    """The click token of a referral's click."""
    click = ClickToken(
        click_id=f"clk_{number}",
        code=f"code-{number}",
        partner_id="ptr_1",
        program_id=program_id,
        clicked_at=NOW - timedelta(days=1),
    )
    return issue(click, KEYRING)


class PlainSecrets:
    """Stands in for KMS: the ciphertext is the secret."""

    def __init__(self) -> None:
        self.broken = False

    def decrypt(self, ciphertext: bytes, *, source_id: str) -> str:
        if self.broken:
            raise UnavailableError("kms")
        return ciphertext.decode()


def change(name: str, value: object, *, deal: int = 7, minute: int = 0, **more: Any) -> Any:  # noqa: ANN401 - one event, to be broken at will
    """One HubSpot event of a deal's property."""
    moment = NOW + timedelta(minutes=minute - 60)
    return {
        "eventId": 1,
        "subscriptionId": 2,
        "portalId": 3,
        "occurredAt": int(moment.timestamp() * 1000),
        "subscriptionType": "deal.propertyChange",
        "attemptNumber": 0,
        "objectId": deal,
        "propertyName": name,
        "propertyValue": value,
        "changeSource": "CRM_UI",
        **more,
    }


def updated(
    deal: Mapping[str, object], referral: Mapping[str, object] | None = None, **more: object
) -> dict[str, object]:
    """One event of the generic source."""
    document: dict[str, object] = {
        "type": "deal.updated",
        "id": "evt-1",
        "occurred_at": "2026-11-21T09:00:00Z",
        "deal": dict(deal),
        **more,
    }
    return document if referral is None else {**document, "referral": dict(referral)}


def hubspot_request(
    body: bytes,
    *,
    secret: str = HUBSPOT_SECRET,
    sent_at: datetime = NOW,
    url: str = f"{API_URL}/v1/webhooks/src_hubspot",
) -> SignedRequest:
    """A delivery signed as HubSpot's version 3 says."""
    timestamp = str(int(sent_at.timestamp() * 1000))
    signed = b"POST" + url.encode() + body + timestamp.encode()
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    headers = {
        "x-hubspot-signature-v3": base64.b64encode(mac).decode(),
        "x-hubspot-request-timestamp": timestamp,
    }
    return SignedRequest(method="POST", url=url, headers=headers, body=body)


def standard_request(
    body: bytes,
    *,
    message_id: str = "msg_1",
    secret: str = STANDARD_SECRET,
    sent_at: datetime = NOW,
) -> SignedRequest:
    """A delivery signed as Standard Webhooks says."""
    timestamp = str(int(sent_at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{mac}",
    }
    url = f"{API_URL}/v1/webhooks/src_standard"
    return SignedRequest(method="POST", url=url, headers=headers, body=body)


class Desk:
    """The store, the clock and the ids of one test."""

    def __init__(
        self, *sources: Source, referrals: int = 2, client: MemoryDynamo | None = None
    ) -> None:
        self.client = client or MemoryDynamo()
        self.store = AppliedDeliveries(client=self.client, core=CORE, vault=VAULT)
        self.secrets = PlainSecrets()
        self.now = NOW
        self._counter = itertools.count(1)
        self._messages = itertools.count(1)
        for each in sources or (source(), source("standard")):
            self.put(keys.source(each.source_id), source_row(each))
        ring = keyring_row(KEYRING)
        self.put(keys.click_keyring(), ring)
        server = SigningKey(key_id="k1", secret=SERVER_SECRET, created_at=NOW)
        self.put(keys.server_keyring(), keyring_row(Keyring(keys=(server,))))
        for number in range(1, referrals + 1):
            self.add(referral(number), number)

    def put(self, key: keys.Key, row: dict[str, Any]) -> None:
        transact(self.client, [put(CORE, key, row)])

    def add(self, new: Referral, number: int) -> None:
        """Stores a referral with what intake stores beside it."""
        pointer = {"referral_id": new.referral_id, "program_id": new.program_id}
        claim = email_hmac(SERVER_SECRET, normalise_email(f"lead{number}@example.test"))
        self.put(keys.referral(new.referral_id), with_claim(referral_row(new), claim))
        self.put(keys.open_referral(new.link_code, new.referral_id), pointer)
        self.put(keys.touch(new.click_id), pointer)
        self.put(keys.lead_claim(new.program_id, claim), pointer)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._counter):026d}"

    def receive(self, source_id: str, request: SignedRequest) -> Received:
        return receive_delivery(
            self.store,
            self.secrets,
            source_id,
            request,
            now=self.now,
            new_id=self.new_id,
            correlation_id="req-1",
        )

    def hubspot(self, *events: object) -> str:
        """Receives one signed batch."""
        body = json.dumps(list(events)).encode()
        return self.receive("src_hubspot", hubspot_request(body, sent_at=self.now)).delivery_id

    def standard(self, document: object, message_id: str = "") -> str:
        """Receives one signed event."""
        body = json.dumps(document).encode()
        message_id = message_id or f"msg_{next(self._messages)}"
        return self.receive(
            "src_standard", standard_request(body, message_id=message_id, sent_at=self.now)
        ).delivery_id

    def apply(self, delivery_id: str) -> Applied:
        return apply_delivery(
            self.store,
            delivery_id,
            parse=parse_json,
            now=self.now,
            new_id=self.new_id,
            hops=0,
            correlation_id="req-1",
            causation_id="evt-0",
        )

    def rows(self, beginning: str, table: str = CORE) -> list[dict[str, Any]]:
        """Returns the rows of a table whose partition begins so."""
        return [row for row in self.client.dump().get(table, []) if row["pk"].startswith(beginning)]

    def facts(self, referral_id: str = "ref_1") -> list[tuple[str, Any]]:
        """Returns what is known of a referral: kind and the telling part, in order."""
        found = []
        for row in sorted(self.rows(f"REF#{referral_id}"), key=lambda row: row.get("fact_id", "")):
            if row["pk"] != f"REF#{referral_id}" or not row["sk"].startswith("FACT#"):
                continue
            data = row["data"]
            telling = data.get("stage") or data.get("amount") or data.get("currency")
            found.append((row["occurred_at"], row["kind"], telling))
        return [(kind, telling) for _, kind, telling in sorted(found)]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Returns the data of stored events of a name."""
        return [
            json.loads(row["envelope"])["data"] for row in self.rows("OUT#") if row["name"] == name
        ]

    def essence(self) -> list[dict[str, Any]]:
        """Returns the store without what two honest runs may number differently."""
        skip = {"version", "bound_at"}
        return [
            {name: value for name, value in row.items() if name not in skip}
            for table in (CORE, VAULT)
            for row in self.client.dump().get(table, [])
            if not row["pk"].startswith("OUT#")
        ]
