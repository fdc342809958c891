"""An answer of 2xx is a promise: whatever fails, it is only given for what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.cloud import CORE, running_cloud
from tests.harness.explore import points, stage
from tests.harness.scenes import SCENES

if TYPE_CHECKING:
    from tests.harness.world import Scene

OF_OTHERS = [
    (scene, prefix)
    for scene in SCENES
    for name, prefix in (("a form", "REF#"), ("spam", "REF#"), ("a delivery", "DLV#"))
    if scene.name == name
]
OK, REFUSED, OURS = 200, 400, 500


@pytest.mark.parametrize(("scene", "prefix"), OF_OTHERS, ids=[s.name for s, _ in OF_OTHERS])
def test_a_promise_is_only_made_for_what_is_stored(scene: Scene, prefix: str) -> None:
    with running_cloud() as cloud:
        staged = stage(cloud, scene)
        outcomes = set()
        for place, kind in points(staged):
            cloud.restore(staged.saved)
            before = {row["pk"] for row in cloud.store.dump()[CORE]}
            kind.arm(cloud, place)
            staged.acts[0](cloud)
            answer = cloud.answer
            cloud.wire.begin()
            new = {row["pk"] for row in cloud.store.dump()[CORE]} - before
            status = answer["statusCode"] if answer else 0
            outcomes.add(status // 100)
            where = f"{kind.name} at call {place} ({staged.calls[place].what})"
            if OK <= status < REFUSED:
                assert any(key.startswith(prefix) for key in new), where
            assert not REFUSED <= status < OURS, where
    assert {0, 2, 5} == outcomes
