"""Public intake: forms of a programme in, referrals out; and receipts for who sent them."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aws_lambda_powertools import Logger

from functions.submit_referral import answers
from functions.submit_referral.answers import Answer
from functions.submit_referral.fields import read_fields
from functions.submit_referral.schema import read_submission
from shared import names
from shared.adapters.dynamodb.client import dynamodb_client
from shared.adapters.dynamodb.intake import Intake
from shared.domain.errors import GoodwordError, NotFoundError
from shared.domain.programs import Program
from shared.runtime.clock import utc_now
from shared.runtime.config import required
from shared.runtime.http import body_bytes, problem, respond
from shared.runtime.ids import new_id
from shared.usecases.show_receipt import show_receipt
from shared.usecases.submit_referral import Received, open_program, submit_referral

MAX_BODY: Final = 64 * 1024
_PROGRAM_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

_logger = Logger(service="submit_referral")


@functools.cache
def _store() -> Intake:
    # Built on first use, so that importing this module needs no environment.
    return Intake(
        dynamodb_client(),
        core=required(names.ENV_CORE_TABLE),
        vault=required(names.ENV_VAULT_TABLE),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What the routes use of a payload of version 2."""

    event: Mapping[str, Any]
    headers: Mapping[str, str]
    parameters: Mapping[str, str]
    method: str
    request_id: str


def handler(event: Mapping[str, Any], _context: object) -> Answer:
    """Answer a request; never with a status that hides that nothing was stored."""
    gateway = event.get("requestContext") or {}
    request = _Request(
        event=event,
        headers={str(k).lower(): str(v) for k, v in (event.get("headers") or {}).items()},
        parameters=event.get("pathParameters") or {},
        method=str((gateway.get("http") or {}).get("method", "")),
        request_id=str(gateway.get("requestId", "")),
    )
    try:
        return _route(request)
    except GoodwordError as error:
        _log_refused(request, error)
        return problem(error, request.request_id)
    except Exception as error:  # noqa: BLE001 - the last line: a bug answers a fixed body
        kind = type(error).__name__
        # No traceback: an exception may quote what was sent.
        _logger.error("bug", error=kind, request_id=request.request_id)  # noqa: TRY400 - above
        return problem(GoodwordError(), request.request_id)


def _route(request: _Request) -> Answer:
    if "token" in request.parameters:
        shown = show_receipt(_store(), request.parameters["token"])
        return answers.receipt(shown.received_at, request.headers)
    if request.method == "OPTIONS":
        return answers.preflight(request.headers.get("origin", ""), _open_or_none(request))
    program = _open(request)
    try:
        answer = _submit(request, program)
    except GoodwordError as error:
        _log_refused(request, error)
        answer = answers.refused(error, request.request_id, request.headers)
    answer["headers"] |= answers.cors(request.headers.get("origin", ""), program)
    return answer


def _open(request: _Request) -> Program:
    program_id = request.parameters.get("program_id", "")
    if not _PROGRAM_ID.fullmatch(program_id):
        raise NotFoundError
    return open_program(_store(), program_id)


def _open_or_none(request: _Request) -> Program | None:
    try:
        return _open(request)
    except NotFoundError:
        return None


def _submit(request: _Request, program: Program) -> Answer:
    raw = body_bytes(request.event, MAX_BODY)
    fields = read_fields(raw, request.headers.get("content-type", ""))
    received = submit_referral(
        _store(),
        program,
        read_submission(fields),
        now=utc_now(),
        new_id=new_id,
        correlation_id=request.request_id,
    )
    _log_received(request, program, received)
    url = f"{required(names.ENV_API_URL)}/v1/receipts/{received.receipt}"
    if not answers.wants_json(request.headers):
        return answers.see_other(answers.next_page(fields.next_url, program, url))
    return respond(201, _body(received, url))


def _body(received: Received, url: str) -> dict[str, Any]:
    # The review is the same for everybody: a repeat and spam must not be told apart.
    return {
        "referral_id": received.referral_id,
        "review": "submitted",
        "receipt": {
            "url": url,
            "digest": received.digest,
            "received_at": answers.utc_text(received.received_at),
        },
    }


def _log_received(request: _Request, program: Program, received: Received) -> None:
    _logger.info(
        "submission",
        outcome=received.outcome,
        program_id=program.program_id,
        referral_id=received.referral_id,
        attribution=received.attribution,
        request_id=request.request_id,
    )


def _log_refused(request: _Request, error: GoodwordError) -> None:
    _logger.info("submission", outcome=error.code, request_id=request.request_id)
