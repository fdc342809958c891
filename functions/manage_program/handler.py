"""The management API behind ``/v1/manage``: bearer keys with scopes, default deny.

One route beside it is open: the table of rewards of programmes that publish it.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from functions.manage_program.calls import Answer, Route, id_from
from functions.manage_program.entry import Arrival, serve
from functions.manage_program.rewards_table import show_public
from functions.manage_program.routes import PREFIX, PUBLIC_TABLE, ROUTES
from functions.manage_program.services import from_environment
from shared.domain.errors import GoodwordError, NotFoundError
from shared.runtime.clock import utc_now
from shared.runtime.http import problem, respond, status_of
from shared.runtime.ids import new_id

_logger = Logger(service="manage_program")
_resolver: Final = APIGatewayHttpResolver()
_services = from_environment()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own
    """Answer one request to the management API."""
    request_id = _request_id(event)
    try:
        return _resolver.resolve(event, context)
    except Exception as error:  # noqa: BLE001 - a fixed answer
        # The type alone: a text or a trace could hold what must not be logged.
        _logger.error("request_failed", extra={"error_type": type(error).__name__})  # noqa: TRY400
        return problem(GoodwordError(), request_id)


def _run(route: Route, **parameters: str) -> Response[str]:
    event = _resolver.current_event.raw_event
    request_id = _request_id(event)
    arrival = Arrival(
        event=event,
        route=route,
        parameters=parameters,
        request_id=request_id,
        now=utc_now(),
        new_id=new_id,
    )
    return _answered(
        {"method": route.method, "route": route.pattern, "request_id": request_id},
        lambda: serve(arrival, _services),
    )


def _show_public(program_id: str) -> Response[str]:
    event = _resolver.current_event.raw_event
    outcome = {"method": "GET", "route": PUBLIC_TABLE, "request_id": _request_id(event)}
    return _answered(outcome, lambda: show_public(_services, id_from(program_id), event))


def _request_id(event: dict[str, Any]) -> str:
    return str((event.get("requestContext") or {}).get("requestId", ""))


def _answered(outcome: dict[str, str], run: Callable[[], Answer]) -> Response[str]:
    request_id = outcome["request_id"]
    try:
        answer = run()
    except GoodwordError as error:
        status, _ = status_of(error)
        _logger.info("request_refused", extra={**outcome, "status": status, "code": error.code})
        return _written(problem(error, request_id))
    except Exception as error:  # noqa: BLE001 - a fixed answer
        _logger.error(  # noqa: TRY400 - the type alone, as above
            "request_failed", extra={**outcome, "error_type": type(error).__name__}
        )
        return _written(problem(GoodwordError(), request_id))
    _logger.info("request_answered", extra={**outcome, "status": answer.status})
    return _written(_encoded(answer))


def _encoded(answer: Answer) -> dict[str, Any]:
    if "content-type" not in answer.headers:
        return respond(answer.status, answer.body, answer.headers)
    headers = {"cache-control": "no-store", **answer.headers}
    return {"statusCode": answer.status, "headers": headers, "body": answer.body}


def _written(answer: dict[str, Any]) -> Response[str]:
    headers = dict(answer["headers"])
    return Response(
        status_code=answer["statusCode"],
        content_type=headers.pop("content-type"),
        headers=headers,
        body=answer["body"],
    )


def _unknown(_error: Exception) -> Response[str]:
    event = _resolver.current_event.raw_event
    request_id = _request_id(event)
    _logger.info("request_refused", extra={"status": int(HTTPStatus.NOT_FOUND)})
    return _written(problem(NotFoundError(), request_id))


def _running(route: Route) -> Callable[..., Response[str]]:
    # A function of its own for each route: the resolver asks for its name.
    def run(**parameters: str) -> Response[str]:
        return _run(route, **parameters)

    return run


for _route in ROUTES:
    _resolver.route(PREFIX + _route.pattern, method=_route.method)(_running(_route))
_resolver.route(PUBLIC_TABLE, method="GET")(_show_public)
_resolver.not_found(_unknown)
