from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.catalogue import FUNCTIONS

if TYPE_CHECKING:
    from tests.infra.templates import Template

ROUTE = "AWS::ApiGatewayV2::Route"
STAGE = "AWS::ApiGatewayV2::Stage"


def served(template: Template) -> dict[str, str]:
    """Return route key -> logical id prefix of the function that it leads to."""
    integrations = {
        logical_id: integration["Properties"]["IntegrationUri"]["Fn::GetAtt"][0]
        for logical_id, integration in template.of_type("AWS::ApiGatewayV2::Integration").items()
    }
    routes = {}
    for route in template.of_type(ROUTE).values():
        properties = route["Properties"]
        _, (_, reference) = properties["Target"]["Fn::Join"]
        routes[properties["RouteKey"]] = integrations[reference["Ref"]][: -len("function12345678")]
    return routes


def test_every_route_leads_to_its_function(prod: Template) -> None:
    assert {
        "GET /{code}": "trackclick",
        "HEAD /{code}": "trackclick",
        "GET /healthz": "trackclick",
        "$default": "trackclick",
        "POST /v1/programs/{program_id}/referrals": "submitreferral",
        "OPTIONS /v1/programs/{program_id}/referrals": "submitreferral",
        "GET /v1/receipts/{token}": "submitreferral",
        "POST /v1/webhooks/{source_id}": "receivewebhook",
        "ANY /v1/manage/{proxy+}": "manageprogram",
        "GET /v1/programs/{program_id}/rewards-table": "manageprogram",
    } == served(prod)


def test_functions_get_version_two_events(prod: Template) -> None:
    integrations = prod.of_type("AWS::ApiGatewayV2::Integration").values()

    assert {("AWS_PROXY", "2.0")} == {
        (each["Properties"]["IntegrationType"], each["Properties"]["PayloadFormatVersion"])
        for each in integrations
    }


def test_there_is_one_permission_per_function_and_it_is_narrowed_to_this_api(
    prod: Template,
) -> None:
    permissions = prod.of_type("AWS::Lambda::Permission").values()

    assert len([spec for spec in FUNCTIONS if spec.routes]) == len(permissions)
    invoked = {each["Properties"]["FunctionName"]["Fn::GetAtt"][0] for each in permissions}
    assert len(permissions) == len(invoked)
    api = prod.logical_id("AWS::ApiGatewayV2::Api", "apihttp")
    for permission in permissions:
        properties = permission["Properties"]
        assert "apigateway.amazonaws.com" == properties["Principal"]
        assert {"Ref": api} in properties["SourceArn"]["Fn::Join"][1]
        assert "/*/*" == properties["SourceArn"]["Fn::Join"][1][-1]


def test_the_stage_is_throttled(dev: Template, prod: Template) -> None:
    settings = "DefaultRouteSettings"

    assert {"ThrottlingBurstLimit": 100, "ThrottlingRateLimit": 50} == dev.properties(
        STAGE, "apistage"
    )[settings]
    assert {"ThrottlingBurstLimit": 1_000, "ThrottlingRateLimit": 500} == prod.properties(
        STAGE, "apistage"
    )[settings]


def test_the_access_log_names_nobody(prod: Template) -> None:
    log = prod.properties(STAGE, "apistage")["AccessLogSettings"]

    assert {
        "id": "$context.requestId",
        "route": "$context.routeKey",
        "status": "$context.status",
        "ms": "$context.responseLatency",
    } == json.loads(log["Format"])
    group = prod.logical_id("AWS::Logs::LogGroup", "apilogs")
    assert {"Ref": group} in log["DestinationArn"]["Fn::Join"][1]


def test_the_api_leaves_cors_to_the_functions(prod: Template) -> None:
    assert "CorsConfiguration" not in prod.properties("AWS::ApiGatewayV2::Api", "apihttp")
