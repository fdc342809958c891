"""Everything in which the stages differ, in one place and typed."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Architecture = Literal["arm64", "x86_64"]

LAMBDA_PYTHON: Final = "3.13"


class SettingsError(Exception):
    """What was asked for on the command line makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One stage.

    ``protected`` keeps data when the stack goes: deletion protection, retained tables and keys,
    termination protection. URLs carry no trailing slash; empty means the API's own address.
    """

    stage: str
    architecture: Architecture = "arm64"
    python_version: str = LAMBDA_PYTHON
    for_host: bool = False
    """Packages are built for this machine, not for Lambda's."""
    require_bytecode: bool = False
    """Refuse to build without an interpreter of ``python_version``: cold starts cost 2.7x."""

    protected: bool = False
    point_in_time_recovery: bool = False
    vault_backups: bool = False
    event_archive_days: int = 0
    """0: no archive."""

    log_retention_days: int = 14
    active_tracing: bool = False
    alarms: bool = False
    alarm_email: str = ""

    throttle_per_second: int = 50
    throttle_burst: int = 100
    evaluate_concurrency: int = 2

    api_url: str = ""
    short_url: str = ""
    fallback_url: str = ""

    @property
    def stack_name(self) -> str:
        """The CloudFormation stack's name."""
        return f"goodword-{self.stage}"


DEV: Final = Settings(
    stage="dev",
    point_in_time_recovery=True,
    event_archive_days=7,
)

PROD: Final = Settings(
    stage="prod",
    require_bytecode=True,
    protected=True,
    point_in_time_recovery=True,
    vault_backups=True,
    event_archive_days=30,
    log_retention_days=90,
    alarms=True,
    throttle_per_second=500,
    throttle_burst=1_000,
    evaluate_concurrency=10,
)

LOCAL: Final = Settings(
    stage="local",
    architecture="arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64",
    python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
    for_host=True,
)

STAGES: Final = {settings.stage: settings for settings in (DEV, PROD, LOCAL)}


def load(context: Mapping[str, str]) -> Settings:
    """Return the settings of the stage that ``-c stage=...`` names, with what else it overrides.

    Raises:
        SettingsError: unknown stage, or a URL that is not an absolute http(s) one.
    """
    stage = context.get("stage", DEV.stage)
    if stage not in STAGES:
        raise SettingsError(f"unknown stage {stage!r}: use -c stage={'|'.join(STAGES)}")
    settings = STAGES[stage]
    return replace(
        settings,
        api_url=_base_url(context, "api_url"),
        short_url=_base_url(context, "short_url"),
        fallback_url=_base_url(context, "fallback_url"),
        alarm_email=context.get("alarm_email", settings.alarm_email),
        require_bytecode=settings.require_bytecode and context.get("allow_no_pyc") != "true",
    )


def _base_url(context: Mapping[str, str], key: str) -> str:
    value = context.get(key, "").rstrip("/")
    if value and not value.startswith(("https://", "http://")):
        raise SettingsError(f"{key} must be an absolute http(s) URL")
    return value
