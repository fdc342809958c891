from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders.ledger import BOOKS, Stored
from tests.builders.money import Story

if TYPE_CHECKING:
    from tests.infra.templates import Template

QUEUE = "AWS::SQS::Queue"
MAPPING = "AWS::Lambda::EventSourceMapping"
FUNCTION = "AWS::Lambda::Function"
DEAD_LETTERS = ("evaluatedlq", "ruledlq", "streamdlq", "clicksdlq", "scheduledlq")
FOURTEEN_DAYS = 14 * 86_400


def queue_arn(template: Template, name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [template.logical_id(QUEUE, f"events{name}"), "Arn"]}


def test_the_money_path_leads_from_the_bus_to_the_queue(prod: Template) -> None:
    (rule,) = prod.of_type("AWS::Events::Rule").values()
    properties = rule["Properties"]

    assert {
        "source": ["goodword"],
        "detail-type": [
            "DeliveryReceived",
            "FactsChanged",
            "SimulationRequested",
            "MigrationRequested",
        ],
    } == properties["EventPattern"]
    assert {"Ref": prod.logical_id("AWS::Events::EventBus", "eventsbus")} == properties[
        "EventBusName"
    ]
    (target,) = properties["Targets"]
    assert queue_arn(prod, "evaluate") == target["Arn"]
    assert {"Arn": queue_arn(prod, "ruledlq")} == target["DeadLetterConfig"]
    assert {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185} == target[
        "RetryPolicy"
    ]


def test_the_queue_waits_six_timeouts_and_gives_up_after_five_tries(prod: Template) -> None:
    queue = prod.properties(QUEUE, "eventsevaluate")
    timeout = prod.properties(FUNCTION, "evaluaterewardfunction")["Timeout"]

    assert queue["VisibilityTimeout"] >= 6 * timeout
    assert {
        "deadLetterTargetArn": queue_arn(prod, "evaluatedlq"),
        "maxReceiveCount": 5,
    } == queue["RedrivePolicy"]


@pytest.mark.parametrize("name", DEAD_LETTERS)
def test_dead_letters_are_kept_fourteen_days(prod: Template, name: str) -> None:
    queue = prod.properties(QUEUE, f"events{name}")

    assert FOURTEEN_DAYS == queue["MessageRetentionPeriod"]


def test_every_queue_is_encrypted_and_speaks_tls_only(prod: Template) -> None:
    queues = prod.of_type(QUEUE)
    refusals = {
        policy["Properties"]["Queues"][0]["Ref"]
        for policy in prod.of_type("AWS::SQS::QueuePolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }

    assert len(DEAD_LETTERS) + 1 == len(queues)
    assert all(queue["Properties"]["SqsManagedSseEnabled"] is True for queue in queues.values())
    assert set(queues) == refusals


@pytest.mark.parametrize("name", ["evaluate", "ruledlq"])
def test_only_our_rule_may_send_what_events_sends(prod: Template, name: str) -> None:
    rule = prod.logical_id("AWS::Events::Rule", "eventsmoneypath")
    queue = prod.logical_id(QUEUE, f"events{name}")

    (statement,) = (
        statement
        for policy in prod.of_type("AWS::SQS::QueuePolicy").values()
        if policy["Properties"]["Queues"] == [{"Ref": queue}]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    )

    assert {"Service": "events.amazonaws.com"} == statement["Principal"]
    assert {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}} == statement["Condition"]


def test_evaluation_takes_ten_and_returns_the_failed_ones(dev: Template, prod: Template) -> None:
    mapping = prod.properties(MAPPING, "evaluaterewardfromqueue")

    assert queue_arn(prod, "evaluate") == mapping["EventSourceArn"]
    assert 10 == mapping["BatchSize"]
    assert ["ReportBatchItemFailures"] == mapping["FunctionResponseTypes"]
    assert {"MaximumConcurrency": 10} == mapping["ScalingConfig"]
    bound = dev.properties(MAPPING, "evaluaterewardfromqueue")["ScalingConfig"]
    assert {"MaximumConcurrency": 2} == bound


def test_the_publisher_reads_new_outbox_rows_and_ends_within_the_records_life(
    prod: Template,
) -> None:
    mapping = prod.properties(MAPPING, "publisheventsfromstream")

    core = prod.logical_id("AWS::DynamoDB::Table", "tablescore")
    assert {"Fn::GetAtt": [core, "StreamArn"]} == mapping["EventSourceArn"]
    (only,) = mapping["FilterCriteria"]["Filters"]
    assert {
        "eventName": ["INSERT"],
        "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "OUT#"}]}}},
    } == json.loads(only["Pattern"])
    assert "TRIM_HORIZON" == mapping["StartingPosition"]
    assert 100 == mapping["BatchSize"]
    assert mapping["MaximumBatchingWindowInSeconds"] <= 1
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 10 == mapping["MaximumRetryAttempts"]
    assert 0 < mapping["MaximumRecordAgeInSeconds"] < 86_400
    assert ["ReportBatchItemFailures"] == mapping["FunctionResponseTypes"]
    assert {"OnFailure": {"Destination": queue_arn(prod, "streamdlq")}} == mapping[
        "DestinationConfig"
    ]


def test_clicks_are_gathered_and_say_of_which_shard_they_are(prod: Template) -> None:
    mapping = prod.properties(MAPPING, "rollupactivityfromstream")

    clicks = prod.logical_id("AWS::DynamoDB::Table", "tablesclicks")
    assert {"Fn::GetAtt": [clicks, "StreamArn"]} == mapping["EventSourceArn"]
    (only,) = mapping["FilterCriteria"]["Filters"]
    assert {"eventName": ["INSERT"]} == json.loads(only["Pattern"])
    # Without a window, no shard id; with more than one batch of a shard at a time, no order.
    assert 0 < mapping["TumblingWindowInSeconds"] <= 900
    assert 1 == mapping["ParallelizationFactor"]
    assert (1_000, 300) == (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"])
    assert "TRIM_HORIZON" == mapping["StartingPosition"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 10 == mapping["MaximumRetryAttempts"]
    # Marks are kept for 48 hours: no record may be that old.
    assert 0 < mapping["MaximumRecordAgeInSeconds"] < 86_400
    assert ["ReportBatchItemFailures"] == mapping["FunctionResponseTypes"]
    assert {"OnFailure": {"Destination": queue_arn(prod, "clicksdlq")}} == mapping[
        "DestinationConfig"
    ]


def test_the_watcher_gets_what_is_no_new_row_of_the_books(prod: Template) -> None:
    mapping = prod.properties(MAPPING, "watchbooksfromstream")

    books = prod.logical_id("AWS::DynamoDB::Table", "tablesbooks")
    assert {"Fn::GetAtt": [books, "StreamArn"]} == mapping["EventSourceArn"]
    (only,) = mapping["FilterCriteria"]["Filters"]
    assert {"eventName": ["MODIFY", "REMOVE"]} == json.loads(only["Pattern"])
    assert "TRIM_HORIZON" == mapping["StartingPosition"]
    assert 10 == mapping["MaximumRetryAttempts"]
    assert {"OnFailure": {"Destination": queue_arn(prod, "streamdlq")}} == mapping[
        "DestinationConfig"
    ]


def test_every_step_of_the_books_passes_the_watcher_by(prod: Template) -> None:
    stored = Stored()
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    mapping = prod.properties(MAPPING, "watchbooksfromstream")
    (only,) = mapping["FilterCriteria"]["Filters"]
    wanted = json.loads(only["Pattern"])["eventName"]

    seen = {record["eventName"] for record in stored.client.stream_records(BOOKS)}

    assert {"INSERT"} == seen
    assert seen.isdisjoint(wanted)


def test_no_stream_has_more_readers_than_it_serves(prod: Template) -> None:
    sources = [
        json.dumps(each["Properties"]["EventSourceArn"]) for each in prod.of_type(MAPPING).values()
    ]
    readers = {source: sources.count(source) for source in sources if "StreamArn" in source}

    assert len(readers) > 1
    assert max(readers.values()) <= 2


def test_maturity_runs_every_minute_and_failures_are_kept(prod: Template) -> None:
    schedule = prod.properties("AWS::Scheduler::Schedule", "maturerewardseveryminute")
    invoked = prod.properties("AWS::Lambda::EventInvokeConfig", "maturerewardswhenasynchronous")
    timeout = prod.properties(FUNCTION, "maturerewardsfunction")["Timeout"]

    assert "rate(1 minute)" == schedule["ScheduleExpression"]
    assert {"Mode": "OFF"} == schedule["FlexibleTimeWindow"]
    assert {"Arn": queue_arn(prod, "scheduledlq")} == schedule["Target"]["DeadLetterConfig"]
    assert {"OnFailure": {"Destination": queue_arn(prod, "scheduledlq")}} == invoked[
        "DestinationConfig"
    ]
    assert 0 == invoked["MaximumRetryAttempts"]
    assert timeout < 60


def test_no_rule_calls_a_function(prod: Template) -> None:
    functions = set(prod.of_type(FUNCTION))

    called = {
        target["Arn"]["Fn::GetAtt"][0]
        for rule in prod.of_type("AWS::Events::Rule").values()
        for target in rule["Properties"]["Targets"]
    }

    assert set() == functions & called


def test_events_are_archived_in_the_cloud_and_not_locally(
    dev: Template, prod: Template, local: Template
) -> None:
    archives = {
        stage: [
            each["Properties"]["RetentionDays"]
            for each in template.of_type("AWS::Events::Archive").values()
        ]
        for stage, template in {"dev": dev, "prod": prod, "local": local}.items()
    }

    assert {"dev": [7], "prod": [30], "local": []} == archives


@pytest.mark.parametrize("name", DEAD_LETTERS)
def test_production_alarms_on_every_dead_letter_and_mails_it(prod: Template, name: str) -> None:
    alarm = prod.properties("AWS::CloudWatch::Alarm", f"alarms{name}")
    topic = prod.logical_id("AWS::SNS::Topic", "alarmstopic")

    assert "ApproximateNumberOfMessagesVisible" == alarm["MetricName"]
    assert (0, "GreaterThanThreshold") == (alarm["Threshold"], alarm["ComparisonOperator"])
    queue = {"Fn::GetAtt": [prod.logical_id(QUEUE, f"events{name}"), "QueueName"]}
    assert [{"Name": "QueueName", "Value": queue}] == alarm["Dimensions"]
    assert [{"Ref": topic}] == alarm["AlarmActions"]


@pytest.mark.parametrize(
    ("name", "metric", "service"),
    [
        ("bookstampered", "BooksTampered", "watch_books"),
        ("setaside", "SetAside", "set_aside"),
    ],
)
def test_production_alarms_on_the_first_of_what_must_not_happen(
    prod: Template, name: str, metric: str, service: str
) -> None:
    alarm = prod.properties("AWS::CloudWatch::Alarm", f"alarms{name}")

    assert ("Goodword", metric, "Sum") == (
        alarm["Namespace"],
        alarm["MetricName"],
        alarm["Statistic"],
    )
    assert {"service": service, "stage": "prod"} == {
        each["Name"]: each["Value"] for each in alarm["Dimensions"]
    }
    assert (0, "GreaterThanThreshold") == (alarm["Threshold"], alarm["ComparisonOperator"])
    assert (1, 60) == (alarm["EvaluationPeriods"], alarm["Period"])
    assert [{"Ref": prod.logical_id("AWS::SNS::Topic", "alarmstopic")}] == alarm["AlarmActions"]


def test_other_stages_stay_silent(dev: Template) -> None:
    assert {} == dev.of_type("AWS::CloudWatch::Alarm")
    assert {} == dev.of_type("AWS::SNS::Topic")
