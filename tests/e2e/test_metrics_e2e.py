"""Visits become figures, each once, also when the stream brings everything again."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from local.deploy import STACK
from local.emulator import call, service
from shared.adapters.management_api import send

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e

VISITS = 60
SECONDS = 30.0


def visit(url: str, number: int) -> int:
    agent = f"Mozilla/5.0 (X11; Linux x86_64) Visitor/{number // 2} Firefox/140.0"
    return send("GET", url, headers={"User-Agent": agent}).status


def totals(deployed: Deployed, partner_id: str) -> dict[str, Any]:
    query = {"program_id": deployed.demo.program_id, "partner_id": partner_id}
    found: dict[str, Any] = deployed.api.get("/metrics", **query)["totals"]
    return found


def counted(deployed: Deployed, partner_id: str, clicks: int) -> dict[str, Any]:
    """The figures as soon as they hold so many clicks, or what they are in the end."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = totals(deployed, partner_id)
        if found["clicks"] >= clicks or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def stream(port: int, target: str, **payload: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return service(port, "dynamodb", f"DynamoDBStreams_20120810.{target}", payload)


def redeliver(deployed: Deployed, code: str) -> None:
    """Hands a link's part of the clicks' stream to the roll-up once more."""
    port = deployed.cloud.emulator.port
    table = deployed.cloud.deployment.outputs["ClicksTableName"]
    arn = stream(port, "ListStreams", TableName=table)["Streams"][0]["StreamArn"]
    description = stream(port, "DescribeStream", StreamArn=arn)["StreamDescription"]
    shard = description["Shards"][0]["ShardId"]
    iterator = stream(
        port, "GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records: list[dict[str, Any]] = []
    while page := stream(port, "GetRecords", ShardIterator=iterator):
        records += page["Records"]
        iterator = page.get("NextShardIterator")
        if not page["Records"] or not iterator:
            break
    own = [one for one in records if one["dynamodb"]["NewImage"]["c"]["S"] == code]
    assert len(own) == VISITS + 1
    path = f"/2015-03-31/functions/{STACK}-roll_up_activity/invocations"
    status, answer = call(
        port, "POST", path, body=json.dumps({"Records": own, "shardId": shard, "state": {}})
    )
    assert (200, {"state": {}, "batchItemFailures": []}) == (status, json.loads(answer))


def test_every_visit_is_counted_once_also_when_it_comes_again(deployed: Deployed) -> None:
    partner = deployed.partner("metric")
    url = f"{deployed.url}/{partner.link_code}"
    with ThreadPoolExecutor(max_workers=4) as pool:
        statuses = list(pool.map(lambda number: visit(url, number), range(VISITS)))
    assert {302} == set(statuses)
    bots = send("GET", url, headers={"User-Agent": "Mozilla/5.0 (compatible; Catchpoint)"})
    assert bots.status == 302

    found = counted(deployed, partner.partner_id, VISITS + 1)

    assert {
        "clicks": VISITS + 1,
        "humans": VISITS,
        "bots": 1,
        "uniques": VISITS // 2,
        "uniques_estimated": False,
    } == found

    redeliver(deployed, partner.link_code)

    assert found == totals(deployed, partner.partner_id)
