from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra import nag

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.templates import Template


def test_the_key_of_webhook_secrets_rotates_and_survives_in_production(
    dev: Template, prod: Template
) -> None:
    key = prod.resource("AWS::KMS::Key", "keyswebhooksecrets")

    assert key["Properties"]["EnableKeyRotation"] is True
    assert "Retain" == key["DeletionPolicy"]
    assert "Delete" == dev.resource("AWS::KMS::Key", "keyswebhooksecrets")["DeletionPolicy"]


def test_the_first_management_key_is_made_at_deploy(prod: Template) -> None:
    secret = prod.properties("AWS::SecretsManager::Secret", "keysadmin")
    generated = secret["GenerateSecretString"]

    assert {"id": "root"} == json.loads(generated["SecretStringTemplate"])
    assert "secret" == generated["GenerateStringKey"]
    assert 40 == generated["PasswordLength"]
    assert generated["ExcludePunctuation"] is True
    assert "SecretString" not in secret


def test_the_template_needs_no_code_at_deploy(prod: Template) -> None:
    """No custom resource: what is in the template is all that there is."""
    types = {resource["Type"] for resource in prod.body["Resources"].values()}

    assert set() == {each for each in types if each.startswith("Custom::")}
    assert "AWS::CloudFormation::CustomResource" not in types


def test_the_local_template_is_the_same_but_for_what_the_stage_sets(
    dev: Template, local: Template
) -> None:
    archived = {"AWS::Events::Archive"}

    assert {
        logical_id: resource["Type"]
        for logical_id, resource in dev.body["Resources"].items()
        if resource["Type"] not in archived
    } == {logical_id: resource["Type"] for logical_id, resource in local.body["Resources"].items()}


def test_findings_that_nobody_acknowledged_stop_synthesis(tmp_path: Path) -> None:
    from aws_cdk import App, Stack  # noqa: PLC0415 - importing it takes seconds
    from aws_cdk.aws_sqs import Queue  # noqa: PLC0415 - as above

    app = App(outdir=str(tmp_path))
    Queue(Stack(app, "careless"), "queue")
    nag.check(app)

    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text("utf-8"))
    assert {"AwsSolutions-SQS3", "AwsSolutions-SQS4"} == {
        violation["ruleName"] for violation in report["pluginReports"][0]["violations"]
    }


def test_every_acknowledgement_has_a_reason_that_says_something() -> None:
    reasons = {name: value for name, value in vars(nag).items() if name.isupper()}
    reasons.pop("TYPE_CHECKING")

    assert reasons
    assert {} == {name: value for name, value in reasons.items() if len(value.split()) < 7}
