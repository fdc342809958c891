"""What roles allow, read from the template: the last line behind every bug."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.catalogue import FUNCTIONS

if TYPE_CHECKING:
    from tests.infra.templates import Template

NAMES = [spec.name for spec in FUNCTIONS]
STAGES = ["dev", "prod", "local"]
READ_WRITE = {
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
}
READ_STREAM = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}
NEVER = {
    "dynamodb:Scan",
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteTable",
    "dynamodb:UpdateTable",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLSelect",
    "dynamodb:PartiQLUpdate",
}


def leading_keys(statement: dict[str, Any]) -> list[str]:
    condition = statement["Condition"]["ForAllValues:StringLike"]
    keys = condition["dynamodb:LeadingKeys"]
    return keys if isinstance(keys, list) else [keys]


@pytest.fixture(params=STAGES)
def template(request: pytest.FixtureRequest) -> Template:
    chosen: Template = request.getfixturevalue(request.param)
    return chosen


@pytest.mark.parametrize("function", NAMES)
def test_each_action_is_named_in_full(template: Template, function: str) -> None:
    actions = {action for each in template.statements(function) for action in each["Action"]}

    assert actions
    assert set() == {action for action in actions if "*" in action}
    # One walks through all clicks, when somebody tells it to: to recount a day.
    assert ({"dynamodb:Scan"} if function == "roll_up_activity" else set()) == actions & NEVER


def test_the_roll_up_walks_through_clicks_and_writes_counters_and_caps_only(
    template: Template,
) -> None:
    counters, links = template.statements_on("roll_up_activity", "tablescore")

    reads = ["dynamodb:BatchGetItem", "dynamodb:GetItem"]
    assert [*reads, "dynamodb:PutItem"] == counters["Action"]
    assert ["ACT#*"] == leading_keys(counters)
    assert [*reads, "dynamodb:UpdateItem"] == links["Action"]
    assert ["LINK#*"] == leading_keys(links)
    assert {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "dynamodb:Scan",
    } == template.actions_on("roll_up_activity", "tablesclicks")
    assert set() == template.actions_on("roll_up_activity", "tablesbooks")
    assert set() == template.actions_on("roll_up_activity", "tablesvault")
    assert {"sqs:SendMessage"} == template.actions_on("roll_up_activity", "eventsclicksdlq")
    assert set() == template.actions_on("roll_up_activity", "eventsstreamdlq")


@pytest.mark.parametrize("function", NAMES)
def test_each_resource_is_named_in_full(template: Template, function: str) -> None:
    wildcards = {
        tuple(each["Action"])
        for each in template.statements(function)
        if "*" in json.dumps(each["Resource"])
    }

    # A log group's own ARN ends in its streams, without a star in the template.
    readers = {"publish_events", "roll_up_activity", "watch_books"}
    expected = {("dynamodb:ListStreams",)} if function in readers else set()
    assert expected == wildcards


@pytest.mark.parametrize("function", NAMES)
def test_each_statement_only_allows(template: Template, function: str) -> None:
    assert {"Allow"} == {each["Effect"] for each in template.statements(function)}


@pytest.mark.parametrize("function", NAMES)
def test_each_writes_its_own_log_only(template: Template, function: str) -> None:
    (logs,) = (
        each["Resource"]
        for each in template.statements(function)
        if any(action.startswith("logs:") for action in each["Action"])
    )

    own = template.logical_id("AWS::Logs::LogGroup", f"{function.replace('_', '')}logs")
    assert [{"Fn::GetAtt": [own, "Arn"]}] == logs


@pytest.mark.parametrize("function", NAMES)
def test_nobody_changes_or_removes_a_row_of_the_books(template: Template, function: str) -> None:
    allowed = template.actions_on(function, "tablesbooks")

    assert allowed <= {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", *READ_STREAM}


@pytest.mark.parametrize("function", NAMES)
def test_the_books_grow_inside_transactions_only(template: Template, function: str) -> None:
    writes = [
        statement
        for statement in template.statements_on(function, "tablesbooks")
        if "dynamodb:PutItem" in statement["Action"]
    ]

    assert (function in {"evaluate_reward", "mature_rewards"}) == bool(writes)
    for statement in writes:
        assert ["dynamodb:PutItem"] == statement["Action"]
        inside = {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}
        assert {"ForAnyValue:StringEquals": inside} == statement["Condition"]


def test_the_redirect_reads_links_and_its_keyring_and_adds_clicks(template: Template) -> None:
    (core,) = template.statements_on("track_click", "tablescore")

    assert ["dynamodb:GetItem"] == core["Action"]
    assert ["LINK#*", "KEYRING#click"] == leading_keys(core)
    assert {"dynamodb:PutItem"} == template.actions_on("track_click", "tablesclicks")
    assert set() == template.actions_on("track_click", "tablesbooks")
    assert set() == template.actions_on("track_click", "tablesvault")


def test_intake_writes_referrals_and_persons(template: Template) -> None:
    assert READ_WRITE - {"dynamodb:DeleteItem"} == template.actions_on(
        "submit_referral", "tablescore"
    )
    assert {"dynamodb:GetItem", "dynamodb:PutItem"} == template.actions_on(
        "submit_referral", "tablesvault"
    )


def test_the_receiver_stores_deliveries_and_reads_secrets(template: Template) -> None:
    (vault,) = template.statements_on("receive_webhook", "tablesvault")

    assert {
        "dynamodb:ConditionCheckItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
    } == template.actions_on("receive_webhook", "tablescore")
    assert ["dynamodb:PutItem"] == vault["Action"]
    assert ["DLV#*"] == leading_keys(vault)
    assert {"kms:Decrypt"} == template.actions_on("receive_webhook", "keyswebhooksecrets")


def test_evaluation_sees_deliveries_of_the_vault_and_no_person(template: Template) -> None:
    (vault,) = template.statements_on("evaluate_reward", "tablesvault")

    assert {"dynamodb:GetItem", "dynamodb:UpdateItem"} == set(vault["Action"])
    assert ["DLV#*"] == leading_keys(vault)
    assert READ_WRITE == template.actions_on("evaluate_reward", "tablescore")
    assert {
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    } == template.actions_on("evaluate_reward", "eventsevaluate")


def test_the_publisher_touches_outbox_rows_only(template: Template) -> None:
    (items,) = (
        statement
        for statement in template.statements_on("publish_events", "tablescore")
        if "dynamodb:UpdateItem" in statement["Action"]
    )

    assert ["dynamodb:UpdateItem"] == items["Action"]
    assert ["OUT#*"] == leading_keys(items)
    assert {*READ_STREAM, "dynamodb:UpdateItem"} == template.actions_on(
        "publish_events", "tablescore"
    )
    assert {"events:PutEvents"} == template.actions_on("publish_events", "eventsbus")
    assert {"sqs:SendMessage"} == template.actions_on("publish_events", "eventsstreamdlq")


def test_the_watcher_of_the_books_reads_their_stream_and_no_table(template: Template) -> None:
    assert READ_STREAM == template.actions_on("watch_books", "tablesbooks")
    assert set() == template.actions_on("watch_books", "tablescore")
    assert set() == template.actions_on("watch_books", "tablesvault")
    assert {"sqs:SendMessage"} == template.actions_on("watch_books", "eventsstreamdlq")


def test_maturity_works_on_core_and_books_and_sweeps_the_outbox(template: Template) -> None:
    assert READ_WRITE == template.actions_on("mature_rewards", "tablescore")
    assert {"events:PutEvents"} == template.actions_on("mature_rewards", "eventsbus")
    assert set() == template.actions_on("mature_rewards", "tablesvault")
    assert {"sqs:SendMessage"} == template.actions_on("mature_rewards", "eventsscheduledlq")


def test_management_reads_the_books_and_writes_the_rest(template: Template) -> None:
    assert {"dynamodb:GetItem", "dynamodb:Query"} == template.actions_on(
        "manage_program", "tablesbooks"
    )
    assert READ_WRITE == template.actions_on("manage_program", "tablescore")
    assert {
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
    } == template.actions_on("manage_program", "tablesvault")
    assert {"kms:Decrypt", "kms:Encrypt"} == template.actions_on(
        "manage_program", "keyswebhooksecrets"
    )
    assert {"secretsmanager:GetSecretValue"} == template.actions_on("manage_program", "keysadmin")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("mature_rewards", {"by_due"}),
        ("manage_program", {"by_list", "by_partner", "by_due", "by_seq", "by_program"}),
        ("evaluate_reward", {"by_list"}),
        ("submit_referral", set()),
        ("track_click", set()),
    ],
)
def test_indexes_are_for_lists_and_due_work(
    template: Template, function: str, expected: set[str]
) -> None:
    found = {
        part.removeprefix("/index/")
        for statement in template.statements(function)
        for arn in statement["Resource"]
        if isinstance(arn, dict) and "Fn::Join" in arn
        for part in arn["Fn::Join"][1]
        if isinstance(part, str) and part.startswith("/index/")
    }

    assert expected == found


def test_only_management_reads_the_first_key(template: Template) -> None:
    readers = {
        function
        for function in NAMES
        for statement in template.statements(function)
        if "secretsmanager:GetSecretValue" in statement["Action"]
    }

    assert {"manage_program"} == readers
