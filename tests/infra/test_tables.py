from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.infra.templates import Template

TABLE = "AWS::DynamoDB::Table"
ALL_TABLES = ("core", "books", "clicks", "vault")


def key(*names: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]


def indexes(table: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for index in table["GlobalSecondaryIndexes"]:
        assert {"ProjectionType": "ALL"} == index["Projection"]
        found[index["IndexName"]] = index["KeySchema"]
    return found


def recovery(table: dict[str, Any]) -> bool:
    enabled = table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert isinstance(enabled, bool)
    return enabled


def test_there_are_four_tables_and_all_are_paid_by_request(dev: Template) -> None:
    tables = dev.of_type(TABLE)

    assert 4 == len(tables)
    assert {"PAY_PER_REQUEST"} == {table["Properties"]["BillingMode"] for table in tables.values()}


def test_core_has_its_keys_indexes_ttl_and_stream(dev: Template) -> None:
    core = dev.properties(TABLE, "tablescore")

    assert key("pk", "sk") == core["KeySchema"]
    assert {
        "by_list": key("list_pk", "list_sk"),
        "by_partner": key("partner_pk", "partner_sk"),
        "by_due": key("due_pk", "due_sk"),
    } == indexes(core)
    assert {"S"} == {each["AttributeType"] for each in core["AttributeDefinitions"]}
    assert {"AttributeName": "expires_at_epoch", "Enabled": True} == core["TimeToLiveSpecification"]
    assert "NEW_IMAGE" == core["StreamSpecification"]["StreamViewType"]


def test_books_never_expire_and_stream_both_images(dev: Template) -> None:
    books = dev.properties(TABLE, "tablesbooks")

    assert key("pk", "sk") == books["KeySchema"]
    assert {"by_seq": key("pk", "seq"), "by_program": key("program_pk", "program_sk")} == indexes(
        books
    )
    types = {each["AttributeName"]: each["AttributeType"] for each in books["AttributeDefinitions"]}
    assert "N" == types.pop("seq")
    assert {"S"} == set(types.values())
    assert "TimeToLiveSpecification" not in books
    assert "NEW_AND_OLD_IMAGES" == books["StreamSpecification"]["StreamViewType"]


def test_clicks_are_keyed_by_lane_and_id(dev: Template) -> None:
    clicks = dev.properties(TABLE, "tablesclicks")

    assert key("pk", "sk") == clicks["KeySchema"]
    assert "expires_at_epoch" == clicks["TimeToLiveSpecification"]["AttributeName"]
    assert "NEW_IMAGE" == clicks["StreamSpecification"]["StreamViewType"]
    assert "GlobalSecondaryIndexes" not in clicks


def test_the_vault_expires_and_has_no_stream(dev: Template) -> None:
    vault = dev.properties(TABLE, "tablesvault")

    assert key("pk", "sk") == vault["KeySchema"]
    assert "expires_at_epoch" == vault["TimeToLiveSpecification"]["AttributeName"]
    assert "StreamSpecification" not in vault


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_only_core_and_books_have_point_in_time_recovery(
    stage: str, request: pytest.FixtureRequest
) -> None:
    template: Template = request.getfixturevalue(stage)

    recoverable = {
        name for name in ALL_TABLES if recovery(template.properties(TABLE, f"tables{name}"))
    }

    assert {"core", "books"} == recoverable


@pytest.mark.parametrize("name", ALL_TABLES)
def test_production_keeps_its_tables(prod: Template, name: str) -> None:
    table = prod.resource(TABLE, f"tables{name}")

    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert ("Retain", "Retain") == (table["DeletionPolicy"], table["UpdateReplacePolicy"])


@pytest.mark.parametrize("name", ALL_TABLES)
def test_other_stages_leave_nothing_behind(dev: Template, name: str) -> None:
    table = dev.resource(TABLE, f"tables{name}")

    assert table["Properties"]["DeletionProtectionEnabled"] is False
    assert "Delete" == table["DeletionPolicy"]


def test_the_vault_is_backed_up_daily_for_seven_days_in_production(prod: Template) -> None:
    (plan,) = prod.of_type("AWS::Backup::BackupPlan").values()
    (selection,) = prod.of_type("AWS::Backup::BackupSelection").values()

    (rule,) = plan["Properties"]["BackupPlan"]["BackupPlanRule"]
    assert {"DeleteAfterDays": 7} == rule["Lifecycle"]
    assert "cron(0 3 * * ? *)" == rule["ScheduleExpression"]
    vault = prod.logical_id(TABLE, "tablesvault")
    assert [{"Fn::GetAtt": [vault, "Arn"]}] == selection["Properties"]["BackupSelection"][
        "Resources"
    ]


def test_other_stages_have_no_backups(dev: Template, local: Template) -> None:
    assert {} == dev.of_type("AWS::Backup::BackupPlan")
    assert {} == local.of_type("AWS::Backup::BackupPlan")
