"""POST /v1/webhooks/{source_id}: a delivery is verified over its raw bytes and stored.

200 only once the bytes are stored; 401 without detail when nothing proves the sender; 503 when
we can't verify or store now, so that the sender comes again. What the delivery says is not
looked at here.
"""

from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools import Logger

from shared import names
from shared.adapters.dynamodb.client import dynamodb_client
from shared.adapters.dynamodb.deliveries import Deliveries
from shared.adapters.secrets import KmsSecrets, kms_client
from shared.domain import deliveries
from shared.domain.errors import GoodwordError
from shared.domain.signatures import SignedRequest
from shared.runtime.clock import utc_now
from shared.runtime.config import required
from shared.runtime.http import body_bytes, problem, respond, status_of
from shared.runtime.ids import new_id
from shared.usecases.receive_delivery import receive_delivery

_API_URL: Final = required(names.ENV_API_URL).rstrip("/")

_logger = Logger(service="receive_webhook")
_inbox = Deliveries(
    client=dynamodb_client(),
    core=required(names.ENV_CORE_TABLE),
    vault=required(names.ENV_VAULT_TABLE),
)
_secrets = KmsSecrets(kms_client(), key_id=required(names.ENV_SECRETS_KEY))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one delivery."""
    request_id = str(event.get("requestContext", {}).get("requestId", ""))
    try:
        return _receive(event, request_id)
    except GoodwordError as error:
        status, _ = status_of(error)
        _logger.info("delivery_refused", extra={"code": error.code, "status": status})
        return problem(error, request_id)
    except Exception as error:  # noqa: BLE001 - a bug still gets the fixed answer
        # The type alone: the text of an unknown error may repeat what was sent.
        _logger.error("delivery_failed", extra={"error_type": type(error).__name__})  # noqa: TRY400 - as above
        return problem(GoodwordError(), request_id)


def _receive(event: Mapping[str, Any], request_id: str) -> dict[str, Any]:
    received = receive_delivery(
        _inbox,
        _secrets,
        str((event.get("pathParameters") or {}).get("source_id", "")),
        _signed_request(event),
        now=utc_now(),
        new_id=new_id,
        correlation_id=request_id,
    )
    _logger.info(
        "delivery_stored",
        extra={
            "delivery_id": received.delivery_id,
            "source_id": received.source_id,
            "known": received.known,
            "message_id_reused": received.message_id_reused,
        },
    )
    return respond(200, {"delivery_id": received.delivery_id, "state": deliveries.RECEIVED})


def _signed_request(event: Mapping[str, Any]) -> SignedRequest:
    query = event.get("rawQueryString") or ""
    return SignedRequest(
        method=event["requestContext"]["http"]["method"],
        url=_API_URL + event["rawPath"] + (f"?{query}" if query else ""),
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=body_bytes(event, deliveries.MAX_BODY),
    )
