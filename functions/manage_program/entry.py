"""The way of every request: authenticate, authorise, answer once, run the route."""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from functions.manage_program.calls import Answer, Call, Route, ids_of_request
from functions.manage_program.documents import MAX_BODY
from functions.manage_program.services import Services
from shared.adapters.dynamodb.answers import Answered
from shared.domain.access import ApiKey, read_credential
from shared.domain.errors import ForbiddenError, UnavailableError, invalid
from shared.ports import NewId
from shared.runtime.http import body_bytes
from shared.usecases.manage_keys import authenticate

_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request that reached a route, before anybody knows whose it is."""

    event: Mapping[str, Any]
    route: Route
    parameters: Mapping[str, str]
    request_id: str
    now: datetime
    new_id: NewId


def serve(arrival: Arrival, services: Services) -> Answer:
    """Answer a request.

    Raises:
        GoodwordError: whatever refuses it; the status follows from its kind.
    """
    key = _authorised(arrival, services)
    header = _headers(arrival.event).get("idempotency-key")
    if arrival.route.method == "GET" or header is None:
        return arrival.route.run(
            _call(arrival, services, key, arrival.new_id, arrival.new_id("req"))
        )
    return _once(arrival, services, key, header)


def _authorised(arrival: Arrival, services: Services) -> ApiKey:
    credential = read_credential(_headers(arrival.event).get("authorization", ""))
    key = authenticate(
        services.api_keys, credential, root_secret=services.root_secret, now=arrival.now
    )
    if not key.may(arrival.route.scope):
        raise ForbiddenError
    return key


def _once(arrival: Arrival, services: Services, key: ApiKey, header: str) -> Answer:
    """Answer a write with an idempotency key: run it, or repeat what was answered."""
    if not _IDEMPOTENCY_KEY.fullmatch(header):
        message = "must be 1 to 200 visible ASCII characters"
        raise invalid("Idempotency-Key", "bad_idempotency_key", message)
    claimed = services.answers.claim(
        _digest(key.principal, arrival.route.method, arrival.event.get("rawPath"), header),
        payload=_payload(arrival.event),
        seed=arrival.new_id("req").removeprefix("req_"),
        now=arrival.now,
    )
    if isinstance(claimed, Answered):
        return Answer(status=claimed.status, body=claimed.body)
    new_id = ids_of_request(claimed.seed)
    try:
        answer = arrival.route.run(_call(arrival, services, key, new_id, f"req_{claimed.seed}"))
    except Exception:
        # Also for bugs: the next try runs with the same ids and finds what is already stored. If
        # this fails too, the claim ends by itself, and what went wrong before counts more.
        with suppress(UnavailableError):
            services.answers.release(claimed)
        raise
    kept = answer.body if answer.kept is None else answer.kept
    # If this fails, the work is done nonetheless: a replay runs with the same ids and finds it.
    with suppress(UnavailableError):
        services.answers.finish(claimed, status=answer.status, body=kept)
    return answer


def _call(arrival: Arrival, services: Services, key: ApiKey, new_id: NewId, mark: str) -> Call:
    return Call(
        event=arrival.event,
        parameters=arrival.parameters,
        key=key,
        services=services,
        now=arrival.now,
        new_id=new_id,
        mark=mark,
        request_id=arrival.request_id,
    )


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}


def _payload(event: Mapping[str, Any]) -> str:
    kind = _headers(event).get("content-type", "")
    raw = body_bytes(event, MAX_BODY)
    return _digest(event.get("rawQueryString"), kind, hashlib.sha256(raw).hexdigest())


def _digest(*parts: object) -> str:
    text = "".join(f"{len(str(part))}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
