"""Entry point of ``cdk``: synthesises one stage without credentials, Docker or network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from aws_cdk import App, Tags

from infra import nag
from infra.dependencies import PackageError
from infra.packages import packages_for
from infra.settings import Settings, SettingsError, load
from infra.stack import GoodwordStack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTEXT: Final = ("stage", "api_url", "short_url", "fallback_url", "alarm_email", "allow_no_pyc")


def build(app: App, settings: Settings, package_of: Callable[[str], Path]) -> GoodwordStack:
    """Return the stack of a stage inside ``app``, under the checks that guard synthesis."""
    stack = GoodwordStack(app, settings=settings, package_of=package_of)
    Tags.of(stack).add("application", "goodword")
    Tags.of(stack).add("stage", settings.stage)
    nag.accept_known_findings(stack)
    nag.check(app)
    return stack


def main() -> int:
    """Synthesise the stage that ``-c stage=`` names."""
    app = App()
    given = {name: app.node.try_get_context(name) for name in CONTEXT}
    try:
        settings = load({name: str(value) for name, value in given.items() if value is not None})
        build(app, settings, packages_for(settings).assemble)
    except (SettingsError, PackageError) as error:
        print(f"goodword: {error}", file=sys.stderr)  # noqa: T201 - our own text, for the operator
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
