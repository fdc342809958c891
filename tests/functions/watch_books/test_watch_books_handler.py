"""Whatever happens to the books: new rows are silent, changed and removed ones are told."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger

from functions.watch_books import handler as module
from shared import names
from tests.builders.ledger import BOOKS, Stored
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from tests.fakes.memory_dynamodb import MemoryDynamo

Lines = list[dict[str, Any]]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> io.StringIO:
    stream = io.StringIO()
    # Loggers of one name share their first stream.
    monkeypatch.setattr(module, "_logger", Logger(service=request.node.name, stream=stream))
    monkeypatch.setenv(names.ENV_STAGE, "prod")
    return stream


@pytest.fixture
def books() -> MemoryDynamo:
    """A referral that was won, lowered, lost and won again, so that every step was posted."""
    stored = Stored()
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    for day, tell in enumerate(("15000.00", "lost", "won"), start=1):
        at = START + day * DAY
        story = story.amount(tell, at=at) if "." in tell else story.stage(tell, at=at)
        stored.tell(story)
        stored.settle(story, now=at)
    return stored.client


def handle(records: Lines, captured: pytest.CaptureFixture[str]) -> Lines:
    """Hands records over as Lambda does; returns the metrics that were written."""
    module.handler(json.loads(json.dumps({"Records": records})), None)
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


def a_row(books: MemoryDynamo) -> dict[str, Any]:
    row: dict[str, Any] = books.stream_records(BOOKS)[0]["dynamodb"]["NewImage"]
    return row


def test_new_rows_are_silent(
    books: MemoryDynamo, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    records = books.stream_records(BOOKS)

    assert [] == handle(records, capsys)
    assert len(records) > 5
    assert "" == log.getvalue()


def test_a_changed_and_a_removed_row_are_told_and_counted(
    books: MemoryDynamo, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    row, before = a_row(books), len(books.stream_records(BOOKS))
    books.put_item(TableName=BOOKS, Item={**row, "amount_minor": {"N": "1"}})
    books.delete_item(TableName=BOOKS, Key={name: row[name] for name in (names.PK, names.SK)})

    (metric,) = handle(books.stream_records(BOOKS, after=before - 1), capsys)

    told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [("ERROR", "books_tampered", "MODIFY"), ("ERROR", "books_tampered", "REMOVE")] == [
        (line["level"], line["message"], line["event_name"]) for line in told
    ]
    assert {("BOOK#ptr_1#prg_1", row[names.SK]["S"])} == {
        (line["holder"], line["row"]) for line in told
    }
    assert [2] == metric[names.METRIC_BOOKS_TAMPERED]
    assert ("watch_books", "prod") == (
        metric[names.METRIC_SERVICE],
        metric[names.METRIC_STAGE],
    )


def test_the_metric_is_in_the_format_that_cloudwatch_reads(
    books: MemoryDynamo, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    books.put_item(TableName=BOOKS, Item={**a_row(books), "amount_minor": {"N": "1"}})

    (metric,) = handle(books.stream_records(BOOKS)[-1:], capsys)

    (written,) = metric["_aws"]["CloudWatchMetrics"]
    assert names.METRICS == written["Namespace"]
    assert [{names.METRIC_SERVICE, names.METRIC_STAGE}] == [
        set(dimensions) for dimensions in written["Dimensions"]
    ]
    assert [(names.METRIC_BOOKS_TAMPERED, "Count")] == [
        (each["Name"], each["Unit"]) for each in written["Metrics"]
    ]
    assert log.getvalue()


def test_nothing_of_a_row_but_its_keys_is_told(
    books: MemoryDynamo, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = {"S": "canary@example.com"}
    books.put_item(TableName=BOOKS, Item={**a_row(books), "rule_id": canary})

    metrics = handle(books.stream_records(BOOKS)[-1:], capsys)

    assert "canary" not in log.getvalue() + json.dumps(metrics)
    assert "books_tampered" in log.getvalue()


def test_one_batch_says_nothing_of_the_batch_before(
    books: MemoryDynamo, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    books.put_item(TableName=BOOKS, Item={**a_row(books), "amount_minor": {"N": "1"}})
    tampered = books.stream_records(BOOKS)[-1:]
    handle(tampered, capsys)

    (again,) = handle(tampered, capsys)

    assert [1] == again[names.METRIC_BOOKS_TAMPERED]
    assert 2 == len(log.getvalue().splitlines())
