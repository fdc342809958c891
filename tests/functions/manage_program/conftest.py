"""The management API over a store in memory, spoken to in real API Gateway events."""

from __future__ import annotations

import base64
import importlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared import names
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from types import ModuleType

    from functions.manage_program.services import Services

CORE, BOOKS, VAULT = "core", "books", "vault"
ROOT_SECRET = "r" * 40
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

_ENVIRONMENT = {
    names.ENV_CORE_TABLE: CORE,
    names.ENV_BOOKS_TABLE: BOOKS,
    names.ENV_VAULT_TABLE: VAULT,
    names.ENV_API_URL: "https://api.example.com",
    names.ENV_SHORT_URL: "https://go.example.com",
    names.ENV_SECRETS_KEY: "key-1",
    names.ENV_ADMIN_SECRET: "admin-secret",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}

STAGES = [
    {"stage": "accepted", "rank": 1, "milestone": "accepted", "outcome": "open"},
    {"stage": "won", "rank": 4, "milestone": "won", "outcome": "won"},
]
TERMS = {
    "name": "Demo",
    "rules": [
        {
            "id": "accepted_bonus",
            "beneficiary": "partner",
            "milestone": "accepted",
            "kind": "cash",
            "value": {"fixed": "50.00"},
            "hold_days": 30,
            "text": "50 for an accepted referral",
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))

    @property
    def paths(self) -> list[str]:
        return [error["path"] for error in self.body["errors"]]


@dataclass(slots=True)
class Api:
    """Sends requests to the real handler; ``key`` is the bearer text, None sends none."""

    handler: ModuleType
    services: Services
    store: MemoryDynamo
    clock: list[datetime]
    root_reads: list[str] = field(default_factory=list)
    key: str | None = f"gw_root_{ROOT_SECRET}"

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: str = "",
        key: str | None = "",
        headers: dict[str, str] | None = None,
    ) -> Reply:
        bearer = self.key if key == "" else key
        sent = dict(headers or {})
        if bearer is not None:
            sent.setdefault("authorization", f"Bearer {bearer}")
        if body is not None:
            sent.setdefault("content-type", "application/json")
        event = http_event(method, f"/v1/manage{path}", query, sent, body)
        answer = self.handler.handler(event, None)
        text = answer["body"]
        sent_back = {name.lower(): value for name, value in answer["headers"].items()}
        return Reply(answer["statusCode"], json.loads(text) if text else None, sent_back)

    def made(
        self,
        path: str,
        body: object,
        *,
        query: str = "",
        key: str | None = "",
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        reply = self.send("POST", path, body, query=query, key=key, headers=headers)
        assert reply.status == 201, reply.body
        made: dict[str, Any] = reply.body
        return made

    def key_with(self, *scopes: str) -> str:
        made = self.made("/keys", {"principal": "Grace", "scopes": list(scopes)})
        return str(made["key"])

    def program(self, program_id: str = "prg_demo", **changes: object) -> dict[str, Any]:
        body: dict[str, object] = {
            "id": program_id,
            "name": "Demo",
            "currency": "USD",
            "landing_hosts": ["www.example.com"],
        }
        return self.made("/programs", {**body, **changes})

    def partner(self, name: str = "Ada", email: str = "ada@partner.example") -> str:
        body = {"name": name, "email": email, "kind": "affiliate"}
        return str(self.made("/partners", body)["id"])

    def enrolled(self, program_id: str = "prg_demo") -> str:
        """Makes a programme with terms and a partner in it; returns the partner."""
        self.program(program_id)
        self.made(f"/programs/{program_id}/terms", TERMS)
        partner_id = self.partner()
        self.made(
            "/enrolments",
            {"partner_id": partner_id, "program_id": program_id, "accept_terms": True},
        )
        return partner_id


def http_event(
    method: str, path: str, query: str, headers: dict[str, str], body: object
) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {
        "version": "2.0",
        "routeKey": "ANY /v1/manage/{proxy+}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "pytest",
            },
            "requestId": "request-1",
            "routeKey": "ANY /v1/manage/{proxy+}",
            "stage": "$default",
            "time": "21/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1795255200000,
        },
        "pathParameters": {"proxy": path.removeprefix("/v1/manage/")},
        "body": None if body is None else base64.b64encode(raw).decode(),
        "isBase64Encoded": body is not None,
    }


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    for name, value in _ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    handler = importlib.import_module("functions.manage_program.handler")
    from functions.manage_program.services import Services, ready_secret  # noqa: PLC0415

    clock = [NOW]

    def seconds() -> float:
        return clock[0].timestamp()

    store = MemoryDynamo(now=seconds)
    reads: list[str] = []

    def server_secret() -> bytes:
        return ready_secret(store, CORE)

    def root_secret() -> str:
        reads.append("read")
        return ROOT_SECRET

    services = Services(
        client=store,
        core=CORE,
        books=BOOKS,
        vault=VAULT,
        api_url="https://api.example.com",
        short_url="https://go.example.com",
        root_secret=root_secret,
        server_secret=server_secret,
        encrypt=lambda secret, source_id: f"sealed:{source_id}:{secret[::-1]}".encode(),
    )
    monkeypatch.setattr(handler, "_services", services)
    monkeypatch.setattr(handler, "utc_now", lambda: clock[0])
    return Api(handler=handler, services=services, store=store, clock=clock, root_reads=reads)
