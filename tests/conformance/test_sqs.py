"""What the queues behind the bus and the parked clicks rely on in SQS.

Lambda reads a queue with these very calls: it deletes what a batch handled, leaves what failed to
come again, and tells each message's receive count, by which the handler knows the last try.
"""

# ruff: noqa: ANN401 - requests and answers are as loosely typed as in boto3

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from local.emulator import REGION
from shared import names
from tests.conformance.rows import code

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = ["All"]
WAIT = 10.0
"""Seconds that something may take that takes its time."""


@pytest.fixture(params=["moto", pytest.param("cloud", marks=pytest.mark.e2e)])
def sqs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "cloud":
        yield request.getfixturevalue("cloud").client("sqs")
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("sqs", region_name=REGION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue in few words."""

    client: Any
    url: str

    @property
    def arn(self) -> str:
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def send(self, body: str = "{}") -> str:
        return str(self.client.send_message(QueueUrl=self.url, MessageBody=body)["MessageId"])

    def receive(self, most: int = 10, **more: Any) -> list[dict[str, Any]]:
        asked = {"MessageSystemAttributeNames": ALL, "MaxNumberOfMessages": most, **more}
        answer = self.client.receive_message(QueueUrl=self.url, **asked)
        return list(answer.get("Messages", ()))

    def wait(self) -> dict[str, Any]:
        """Returns the first message, however long it takes within reason."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            found = self.receive(1)
            if found:
                return found[0]
            time.sleep(0.05)
        pytest.fail("no message came")

    def fail(self, message: dict[str, Any]) -> None:
        """Lets a message come again at once."""
        self.client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )


def queue(sqs: Any, **attributes: str) -> Queue:
    name = f"conformance-{uuid.uuid4().hex}"
    made = sqs.create_queue(QueueName=name, Attributes=attributes)
    return Queue(client=sqs, url=made["QueueUrl"])


@pytest.fixture
def work(sqs: Any) -> Queue:
    return queue(sqs, VisibilityTimeout="60")


@pytest.fixture
def dead(sqs: Any) -> Queue:
    return queue(sqs)


@pytest.fixture
def watched(sqs: Any, dead: Queue) -> Queue:
    """A queue that gives up as the evaluation's does."""
    policy = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": names.EVALUATE_TRIES}
    return queue(sqs, VisibilityTimeout="60", RedrivePolicy=json.dumps(policy))


def count(message: dict[str, Any]) -> str:
    return str(message["Attributes"]["ApproximateReceiveCount"])


def test_a_message_that_somebody_has_is_nobody_else_s(work: Queue) -> None:
    sent = work.send()

    assert [sent] == [message["MessageId"] for message in work.receive()]
    assert [] == work.receive()


def test_a_message_that_nobody_deletes_comes_again(sqs: Any) -> None:
    work = queue(sqs, VisibilityTimeout="1")
    sent = work.send()
    work.receive()

    again = work.wait()

    assert (sent, "2") == (again["MessageId"], count(again))


def test_a_deleted_message_never_comes_again(work: Queue) -> None:
    work.send()
    (message,) = work.receive()
    work.fail(message)
    (message,) = work.receive()

    work.client.delete_message(QueueUrl=work.url, ReceiptHandle=message["ReceiptHandle"])

    assert [] == work.receive()


def test_every_receipt_counts_and_the_body_stays_the_same(work: Queue) -> None:
    work.send('{"ä": "\\n"}')
    seen = []
    for _ in range(3):
        (message,) = work.receive()
        seen.append((count(message), message["Body"]))
        work.fail(message)

    assert [(str(number), '{"ä": "\\n"}') for number in (1, 2, 3)] == seen


def test_of_a_batch_only_what_failed_comes_again(work: Queue) -> None:
    ids = {work.send(str(number)) for number in range(3)}
    batch = work.receive()
    assert ids == {message["MessageId"] for message in batch}
    failed, *handled = batch

    entries = [
        {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
        for place, message in enumerate(handled)
    ]
    answer = work.client.delete_message_batch(QueueUrl=work.url, Entries=entries)
    work.fail(failed)

    assert ["0", "1"] == sorted(entry["Id"] for entry in answer["Successful"])
    assert [(failed["MessageId"], "2")] == [
        (message["MessageId"], count(message)) for message in work.receive()
    ]


def test_a_message_is_set_aside_after_its_last_try(watched: Queue, dead: Queue) -> None:
    sent = watched.send('{"detail": {}}')
    for number in range(1, names.EVALUATE_TRIES + 1):
        (message,) = watched.receive()
        assert str(number) == count(message)
        watched.fail(message)

    assert [] == watched.receive()

    found = dead.wait()
    assert (sent, '{"detail": {}}') == (found["MessageId"], found["Body"])


def test_the_neighbours_of_a_message_that_is_set_aside_stay(watched: Queue, dead: Queue) -> None:
    poison = watched.send("poison")
    for _ in range(names.EVALUATE_TRIES):
        (message,) = watched.receive()
        watched.fail(message)
    good = watched.send("good")

    assert [good] == [message["MessageId"] for message in watched.receive()]
    assert poison == dead.wait()["MessageId"]


def test_what_was_set_aside_and_is_sent_back_has_all_its_tries(watched: Queue, dead: Queue) -> None:
    watched.send("poison")
    for _ in range(names.EVALUATE_TRIES):
        (message,) = watched.receive()
        watched.fail(message)
    assert [] == watched.receive()

    found = dead.wait()
    watched.send(found["Body"])
    dead.client.delete_message(QueueUrl=dead.url, ReceiptHandle=found["ReceiptHandle"])

    again = watched.wait()
    assert ("poison", "1") == (again["Body"], count(again))
    assert [] == dead.receive()


def test_a_batch_holds_at_most_ten(work: Queue) -> None:
    for number in range(12):
        work.send(str(number))

    assert len(work.receive()) <= 10
    failure = code(work.client.receive_message, QueueUrl=work.url, MaxNumberOfMessages=11)
    assert "InvalidParameterValue" in failure or "ReadCountOutOfRange" in failure


def test_a_message_holds_an_event_of_the_bus(work: Queue) -> None:
    """An entry of the bus has at most 256 KB, and the envelope of the rule comes around it."""
    body = json.dumps({"detail": {"x": "y" * 250_000}})
    work.send(body)

    (message,) = work.receive()

    assert body == message["Body"]


def test_a_queue_that_is_gone_is_an_error(work: Queue) -> None:
    failure = code(work.client.send_message, QueueUrl=f"{work.url}-gone", MessageBody="{}")

    assert "NonExistentQueue" in failure or "QueueDoesNotExist" in failure


def test_what_may_look_at_a_queue_sees_how_many_wait(work: Queue) -> None:
    """The alarms of the dead letters hang on this figure."""
    work.send()
    wanted = {"QueueUrl": work.url, "AttributeNames": ["ApproximateNumberOfMessages"]}

    found = work.client.get_queue_attributes(**wanted)["Attributes"]

    assert "1" == found["ApproximateNumberOfMessages"]
