"""The HTTP API: routes to functions, throttled, with an access log that names nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.functions import log_group_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.functions import Function
    from infra.settings import Settings

ACCESS_LOG_FORMAT: Final = json.dumps(
    {
        "id": "$context.requestId",
        "route": "$context.routeKey",
        "status": "$context.status",
        "ms": "$context.responseLatency",
    },
    # Each line is paid by the byte.
    separators=(",", ":"),
)
"""No path, no query, no address: tokens travel in URLs."""


class Api(Construct):
    """One HTTP API with the ``$default`` stage; functions join it by ``serve``.

    CORS stays with the functions: the API's own setting would override their headers.
    """

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        super().__init__(scope, "api")
        self._api = gateway.CfnApi(
            self,
            "http",
            name=settings.stack_name,
            protocol_type="HTTP",
        )
        log_group = log_group_for(self, f"/aws/apigateway/{settings.stack_name}", settings)
        gateway.CfnStage(
            self,
            "stage",
            api_id=self._api.ref,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=gateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=Stack.of(self).format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=log_group.log_group_name,
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                ),
                format=ACCESS_LOG_FORMAT,
            ),
            default_route_settings=gateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=settings.throttle_per_second,
                throttling_burst_limit=settings.throttle_burst,
            ),
        )

    @property
    def api_id(self) -> str:
        """The API's id, known at deploy."""
        return self._api.ref

    @property
    def url(self) -> str:
        """The API's own base URL, no trailing slash."""
        return self._api.attr_api_endpoint

    def serve(self, functions: Iterable[Function]) -> None:
        """Route to each function what its spec lists, with one permission per function."""
        for function in functions:
            if function.spec.routes:
                self._serve(function)

    def _serve(self, function: Function) -> None:
        integration = gateway.CfnIntegration(
            function,
            "integration",
            api_id=self.api_id,
            integration_type="AWS_PROXY",
            integration_uri=function.function.function_arn,
            payload_format_version="2.0",
        )
        for number, key in enumerate(function.spec.routes):
            gateway.CfnRoute(
                function,
                f"route_{number}",
                api_id=self.api_id,
                route_key=key,
                target=f"integrations/{integration.ref}",
                # Authorisation is in the functions, default deny.
                authorization_type="NONE",
            )
        lambda_.CfnPermission(
            function,
            "invoked_by_api",
            action="lambda:InvokeFunction",
            function_name=function.function.function_arn,
            principal="apigateway.amazonaws.com",
            source_arn=Stack.of(self).format_arn(
                service="execute-api", resource=self.api_id, resource_name="*/*"
            ),
        )
