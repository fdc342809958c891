"""Where the local cloud differs from the service and nothing corrects it.

Each canary says what the emulator does today, and its comment what the service does and which
place of the project knows of it. It fails when the gap is closed or widened: then look there.
Differences in what single calls answer are in ``tests/conformance/deviations.py``.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import call
from tests.canaries.conftest import Function, function, streamed_table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.emulated import Emulated

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """An HTTP API with one route to one function."""

    running: Emulated
    api_id: str

    def send(self, method: str = "GET", path: str = "/a", **options: Any) -> tuple[int, bytes]:  # noqa: ANN401 - passed on
        port = self.running.emulator.port
        host = {"Host": f"{self.api_id}.execute-api.localhost:{port}"}
        return call(port, method, path, **{"headers": host} | options)


def api(running: Emulated, target: Function) -> Api:
    gateway = running.client("apigatewayv2")
    api_id = gateway.create_api(Name=target.name, ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=target.arn,
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    for route in ("ANY /a", "OPTIONS /a"):
        gateway.create_route(ApiId=api_id, RouteKey=route, Target=f"integrations/{integration}")
    gateway.create_stage(
        ApiId=api_id,
        StageName="$default",
        AutoDeploy=True,
        DefaultRouteSettings={"ThrottlingRateLimit": 1, "ThrottlingBurstLimit": 1},
    )
    return Api(running=running, api_id=api_id)


# The service hands it to the route, because the API has no CORS of its own (infra/api.py).
# Held without it: tests/functions/test_submit_referral_handler.py::test_preflight_*.
def test_options_never_reaches_a_function(corrected: Emulated, tmp_path: Path) -> None:
    target = function(corrected, tmp_path)

    status, _ = api(corrected, target).send("OPTIONS")

    assert (403, []) == (status, target.seen())


# The service answers 500 and {"message":"Internal Server Error"}: handlers answer for themselves,
# so that neither is seen (tests/functions/*: faults of the store).
def test_a_function_that_fails_shows_its_error(corrected: Emulated, tmp_path: Path) -> None:
    status, body = api(corrected, function(corrected, tmp_path, "raise")).send()

    assert (502, "refused") == (status, json.loads(body)["errorMessage"])


# The service answers 429: tests/infra/test_api.py::test_the_stage_is_throttled.
def test_a_stage_is_not_throttled(corrected: Emulated, tmp_path: Path) -> None:
    gateway = api(corrected, function(corrected, tmp_path))

    assert [200] * 6 == [gateway.send()[0] for _ in range(6)]


# The service refuses more than 10 MB: BODY_LIMIT_BYTES in local/proxy.py.
def test_a_body_may_have_any_size(corrected: Emulated, tmp_path: Path) -> None:
    gateway = api(corrected, function(corrected, tmp_path))

    status, _ = gateway.send("POST", body=b"x" * (11 * 1024 * 1024))

    assert 200 == status


# The service adds X-Forwarded-*: forward() in local/proxy.py.
def test_a_request_does_not_say_whom_it_was_forwarded_for(
    corrected: Emulated, tmp_path: Path
) -> None:
    target = function(corrected, tmp_path)
    api(corrected, target).send()

    (event,) = target.seen()

    assert [] == [name for name in event["headers"] if name.startswith("x-forwarded")]


# Why local/proxy.py exists: a short link can't carry the API's id, neither in host nor in path.
def test_an_api_answers_under_its_own_name_only(corrected: Emulated, tmp_path: Path) -> None:
    gateway = api(corrected, function(corrected, tmp_path))

    assert (404, 200) == (gateway.send(headers={})[0], gateway.send()[0])


# The service tries as often as the mapping says, halves the batch, and sends what is left to the
# queue (infra/events.py: feed_from_stream). Held by tests/infra/test_events.py and by
# tests/faults/test_lost_messengers.py, which drive the handlers as the service does.
def test_poison_in_a_stream_blocks_it_for_ever(corrected: Emulated, tmp_path: Path) -> None:
    target, table = function(corrected, tmp_path, "raise"), streamed_table(corrected)
    queues = corrected.client("sqs")
    queue = queues.create_queue(QueueName=target.name)["QueueUrl"]
    wanted = {"QueueUrl": queue, "AttributeNames": ["QueueArn"]}
    arn = queues.get_queue_attributes(**wanted)["Attributes"]["QueueArn"]
    table.put("1")
    table.put("2")
    table.feed(
        target,
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )

    # The second call is the only repetition that is due.
    events = target.wait_for(3)

    assert {2} == {len(event["Records"]) for event in events}
    assert "Messages" not in queues.receive_message(QueueUrl=queue)


# The service gathers clicks for a minute (infra/events.py: GATHERED). That the local cloud does not
# is what lets tests/e2e/test_metrics_e2e.py wait for seconds.
def test_a_stream_is_not_gathered(corrected: Emulated, tmp_path: Path) -> None:
    target, table = function(corrected, tmp_path), streamed_table(corrected)
    table.feed(target, MaximumBatchingWindowInSeconds=60)
    begun = time.monotonic()
    table.put("1")

    target.wait_for(1)

    assert time.monotonic() - begun < 10


# The service cancels one of two with TransactionConflict: tests/builders/faults.py injects it.
def test_transactions_on_one_row_never_conflict(corrected: Emulated) -> None:
    table = streamed_table(corrected)
    client = corrected.client("dynamodb")

    def write(number: int) -> None:
        item = {"pk": {"S": "1"}, "a": {"N": str(number)}}
        client.transact_write_items(
            TransactItems=[{"Put": {"TableName": table.name, "Item": item}}]
        )

    with ThreadPoolExecutor(8) as pool:
        assert [None] * 80 == list(pool.map(write, range(80)))


# Hence event_archive_days = 0 for the stage `local` (infra/settings.py), held by
# tests/infra/test_events.py::test_events_are_archived_in_the_cloud_and_not_locally.
def test_an_archive_can_not_be_deployed(corrected: Emulated) -> None:
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    archive = {"Type": "AWS::Events::Archive", "Properties": {"SourceArn": bus}}

    with pytest.raises(ClientError, match=r"Unrecognized resource types: \[AWS::Events::Archive\]"):
        corrected.client("cloudformation").create_stack(
            StackName="archive", TemplateBody=json.dumps({"Resources": {"Archive": archive}})
        )
