"""The Lambda functions, each with a role and a log group of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from shared import names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from infra.catalogue import FunctionSpec
    from infra.settings import Settings

RETENTION: Final = {
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
}

_ARCHITECTURES: Final = {
    "arm64": lambda_.Architecture.ARM_64,
    "x86_64": lambda_.Architecture.X86_64,
}


class Function(Construct):
    """One function that may do what ``statements`` say and write its own log, nothing else.

    Named as its folder.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        spec: FunctionSpec,
        settings: Settings,
        package: Path,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
    ) -> None:
        super().__init__(scope, spec.name)
        self.spec = spec
        function_name = f"{settings.stack_name}-{spec.name}"
        log_group = log_group_for(self, f"/aws/lambda/{function_name}", settings)
        self.role = iam.Role(
            self,
            "role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What {spec.name} may do",
            inline_policies={
                spec.name: iam.PolicyDocument(
                    statements=[*statements, *_own_log(log_group), *_tracing(settings)]
                )
            },
        )
        self.function = lambda_.Function(
            self,
            "function",
            function_name=function_name,
            runtime=lambda_.Runtime(
                f"python{settings.python_version}", lambda_.RuntimeFamily.PYTHON
            ),
            architecture=_ARCHITECTURES[settings.architecture],
            code=lambda_.Code.from_asset(str(package)),
            handler=spec.handler,
            memory_size=spec.memory_mb,
            timeout=Duration.seconds(spec.timeout_seconds),
            environment=dict(environment),
            # Without mutability the role would be granted more by the constructs that use it.
            role=self.role.without_policy_updates(),
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
            # Start and report lines would cost more than the redirect itself.
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            tracing=lambda_.Tracing.ACTIVE if settings.active_tracing else lambda_.Tracing.DISABLED,
        )


def log_group_for(scope: Construct, name: str, settings: Settings) -> logs.LogGroup:
    """Return a log group under ``scope`` that forgets after the stage's time."""
    return logs.LogGroup(
        scope,
        "logs",
        log_group_name=name,
        retention=RETENTION[settings.log_retention_days],
        removal_policy=RemovalPolicy.DESTROY,
    )


def build_functions(
    scope: Construct,
    *,
    specs: Sequence[FunctionSpec],
    settings: Settings,
    package_of: Callable[[str], Path],
    values: Mapping[str, str],
    statements: Mapping[str, Sequence[iam.PolicyStatement]],
) -> dict[str, Function]:
    """Return the functions by name; each gets its stage and those ``values`` its spec lists."""
    return {
        spec.name: Function(
            scope,
            spec=spec,
            settings=settings,
            package=package_of(spec.name),
            environment={name: values[name] for name in (names.ENV_STAGE, *spec.environment)},
            statements=statements[spec.name],
        )
        for spec in specs
    }


def _own_log(log_group: logs.LogGroup) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[log_group.log_group_arn],  # ends in :*, its streams
        )
    ]


def _tracing(settings: Settings) -> list[iam.PolicyStatement]:
    if not settings.active_tracing:
        return []
    return [
        iam.PolicyStatement(
            actions=["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
            resources=["*"],  # X-Ray knows no narrower resource
        )
    ]
