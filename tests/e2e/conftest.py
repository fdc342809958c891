"""One deployed local cloud for all end-to-end tests, started by the code behind ``make demo``."""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from local import cloud as clouds
from local.places import Places
from local.progress import Progress
from local.seed import Demo, create_link, create_partner, enrol, seed
from local.story import Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.cloud import Cloud
    from shared.adapters.management_api import Management


@dataclass(slots=True)
class Deployed:
    """The running cloud and its demo programme; ``restart`` replaces both."""

    home: Path
    progress: Progress = field(default_factory=lambda: Progress(stream=io.StringIO()))
    _stack: ExitStack = field(default_factory=ExitStack)
    _cloud: Cloud | None = None
    _demo: Demo | None = None

    def start(self) -> None:
        self._cloud = self._stack.enter_context(
            clouds.running(Places(home=self.home), self.progress)
        )
        self._demo = seed(self._cloud)

    def stop(self) -> None:
        self._stack.close()

    @property
    def cloud(self) -> Cloud:
        assert self._cloud is not None
        return self._cloud

    @property
    def demo(self) -> Demo:
        assert self._demo is not None
        return self._demo

    @property
    def url(self) -> str:
        return self.cloud.url

    @property
    def api(self) -> Management:
        return self.cloud.management

    def story(self, partner: Demo | None = None) -> Story:
        """A narrator whose figures go nowhere, for one partner (default: the demo's)."""
        return Story(cloud=self.cloud, demo=partner or self.demo, progress=self.progress)

    def partner(self, name: str) -> Demo:
        """A new partner with a link of its own, so that tests don't see each other's money."""
        partner_id = create_partner(self.api, name.title(), f"{name}@partner.example")
        enrol(self.api, self.demo.program_id, partner_id)
        code = create_link(self.api, self.url, self.demo.program_id, partner_id)
        return Demo(
            program_id=self.demo.program_id,
            partner_id=partner_id,
            link_code=code,
            sources=self.demo.sources,
        )


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    running = Deployed(tmp_path_factory.mktemp("cloud"))
    try:
        running.start()
        yield running
    finally:
        running.stop()
