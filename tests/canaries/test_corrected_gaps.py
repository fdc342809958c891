"""Each correction of ``local/launcher.py`` is still needed, and still works.

Every canary asks the emulator as it comes and the corrected one. If the first answers otherwise
than here, the gap was closed or widened: look whether the correction that the comment names can
go. If the second does, the correction broke.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import string
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local import launcher
from local.emulator import AUTOSAVE_S
from tests.builders.emulated import emulated
from tests.canaries.conftest import LAUNCHERS, function, streamed_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.builders.emulated import Emulated

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Longer than the emulator's pause after a failed batch, and than it waits when idle.
POLLS_S = 2.5


def asked(both: Mapping[str, Emulated], ask: Callable[[Emulated], object]) -> dict[str, object]:
    return {name: ask(running) for name, running in both.items()}


def test_every_correction_has_a_canary() -> None:
    tree = ast.parse(Path(launcher.__file__).read_text(encoding="utf-8"))
    (main,) = (node for node in tree.body if getattr(node, "name", "") == "main")
    (chosen,) = (node for node in ast.walk(main) if isinstance(node, ast.If))
    made = [
        statement.value.func.id
        for statement in chosen.body
        if isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Name)
    ]
    text = Path(__file__).read_text(encoding="utf-8")

    assert made
    assert [] == [name for name in made if f"# launcher.{name}" not in text]


# launcher.shorten_stderr_wait
def test_a_warm_call_of_a_silent_function_stalls(
    both: Mapping[str, Emulated], tmp_path: Path
) -> None:
    def stalls(running: Emulated) -> bool:
        silent = function(running, tmp_path)
        client = running.client("lambda")
        client.invoke(FunctionName=silent.name, Payload=b"{}")
        times = []
        for _ in range(6):
            begun = time.monotonic()
            client.invoke(FunctionName=silent.name, Payload=b"{}")
            times.append(time.monotonic() - begun)
        # The least is what the machine's other work can't have added.
        return min(times) > 0.045

    assert {"plain": True, "corrected": False} == asked(both, stalls)


# launcher.forget_stream_positions
@pytest.mark.parametrize(("name", "arriving"), [("plain", 0), ("corrected", 1)])
def test_records_after_a_restart_do_not_arrive(name: str, arriving: int, tmp_path: Path) -> None:
    with emulated(tmp_path / "home", launcher=LAUNCHERS[name]) as running:
        target, table = function(running, tmp_path), streamed_table(running)
        table.feed(target, BatchSize=1)
        table.put("1")
        table.put("2")
        target.wait_for(2)
    with emulated(tmp_path / "home", launcher=LAUNCHERS[name]) as running:
        running.client("dynamodb").put_item(TableName=table.name, Item={"pk": {"S": "3"}})
        time.sleep(POLLS_S)

        assert arriving == len(target.seen()) - 2


# launcher.tell_shards
def test_a_batch_of_a_stream_does_not_tell_its_shard(
    both: Mapping[str, Emulated], tmp_path: Path
) -> None:
    def told(running: Emulated) -> set[str]:
        target, table = function(running, tmp_path), streamed_table(running)
        # A window is what asks for it.
        table.feed(target, TumblingWindowInSeconds=30)
        table.put("1")
        (event,) = target.wait_for(1)
        return set(event)

    assert {"plain": {"Records"}, "corrected": {"Records", "shardId", "state"}} == asked(both, told)


# launcher.tell_shards
def test_failed_records_of_a_stream_do_not_come_again(
    both: Mapping[str, Emulated], tmp_path: Path
) -> None:
    targets = {name: function(running, tmp_path, "first failed") for name, running in both.items()}
    for name, running in both.items():
        table = streamed_table(running)
        table.feed(targets[name])
        table.put("1")
        targets[name].wait_for(1)
    time.sleep(POLLS_S)

    again = {name: len(target.seen()) > 1 for name, target in targets.items()}

    assert {"plain": False, "corrected": True} == again


# launcher.exclude_punctuation
def test_a_generated_secret_holds_punctuation(both: Mapping[str, Emulated]) -> None:
    def has_punctuation(running: Emulated) -> bool:
        rule = {"PasswordLength": 200, "ExcludePunctuation": True}
        secret = {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"Name": "generated", "GenerateSecretString": rule},
        }
        clouds = running.client("cloudformation")
        clouds.create_stack(
            StackName="canary", TemplateBody=json.dumps({"Resources": {"Secret": secret}})
        )
        clouds.get_waiter("stack_create_complete").wait(
            StackName="canary", WaiterConfig={"Delay": 1, "MaxAttempts": 20}
        )
        found = running.client("secretsmanager").get_secret_value(SecretId="generated")
        return any(sign in string.punctuation for sign in found["SecretString"])

    assert {"plain": True, "corrected": False} == asked(both, has_punctuation)


# launcher.save_every: tests/local/test_local_kill.py says how much is lost with it.
def test_what_was_written_is_lost_when_it_is_killed(tmp_path: Path) -> None:
    with emulated(tmp_path, launcher=LAUNCHERS["plain"]) as running:
        streamed_table(running)
        time.sleep(AUTOSAVE_S + 1)
        os.killpg(running.emulator.process.pid, signal.SIGKILL)
    with emulated(tmp_path, launcher=LAUNCHERS["plain"]) as running:
        found = running.client("dynamodb").list_tables()["TableNames"]

    assert [] == found
