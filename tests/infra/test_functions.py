from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import pytest

from infra.catalogue import FUNCTIONS, FunctionSpec

if TYPE_CHECKING:
    from tests.infra.templates import Template

FUNCTION = "AWS::Lambda::Function"
SPECS = pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.name)
HTTP_LIMIT_SECONDS = 30


def construct(spec: FunctionSpec) -> str:
    return spec.name.replace("_", "")


def test_the_template_holds_these_functions_and_no_helpers_of_the_toolkit(prod: Template) -> None:
    assert {
        "goodword-prod-track_click",
        "goodword-prod-submit_referral",
        "goodword-prod-receive_webhook",
        "goodword-prod-evaluate_reward",
        "goodword-prod-publish_events",
        "goodword-prod-mature_rewards",
        "goodword-prod-roll_up_activity",
        "goodword-prod-watch_books",
        "goodword-prod-manage_program",
    } == {each["Properties"]["FunctionName"] for each in prod.of_type(FUNCTION).values()}


@SPECS
def test_each_runs_on_the_pinned_runtime_with_its_own_entry_point(
    prod: Template, spec: FunctionSpec
) -> None:
    function = prod.properties(FUNCTION, f"{construct(spec)}function")

    assert "python3.13" == function["Runtime"]
    assert ["arm64"] == function["Architectures"]
    assert f"functions.{spec.name}.handler.handler" == function["Handler"]
    assert "Layers" not in function
    assert "ReservedConcurrentExecutions" not in function


@SPECS
def test_each_logs_json_to_its_own_group_that_forgets(prod: Template, spec: FunctionSpec) -> None:
    function = prod.properties(FUNCTION, f"{construct(spec)}function")
    logs = prod.properties("AWS::Logs::LogGroup", f"{construct(spec)}logs")

    assert {
        "ApplicationLogLevel": "INFO",
        "LogFormat": "JSON",
        "LogGroup": {"Ref": prod.logical_id("AWS::Logs::LogGroup", f"{construct(spec)}logs")},
        "SystemLogLevel": "WARN",
    } == function["LoggingConfig"]
    assert 90 == logs["RetentionInDays"]


def test_every_log_group_has_a_retention(dev: Template) -> None:
    groups = dev.of_type("AWS::Logs::LogGroup")

    assert len(FUNCTIONS) + 1 == len(groups)
    assert {14} == {each["Properties"]["RetentionInDays"] for each in groups.values()}


@SPECS
def test_nobody_waits_longer_than_the_gateway_does(prod: Template, spec: FunctionSpec) -> None:
    timeout = prod.properties(FUNCTION, f"{construct(spec)}function")["Timeout"]

    if spec.routes:
        assert timeout < HTTP_LIMIT_SECONDS
    else:
        # A recount, called by hand, reads all clicks.
        assert timeout <= (900 if spec.name == "roll_up_activity" else 60)


@SPECS
def test_each_gets_its_stage_and_the_variables_that_it_lists_only(
    prod: Template, spec: FunctionSpec
) -> None:
    function = prod.properties(FUNCTION, f"{construct(spec)}function")

    variables = function["Environment"]["Variables"]

    assert {"GOODWORD_STAGE", *spec.environment} == set(variables)
    assert "prod" == variables["GOODWORD_STAGE"]


def test_tracing_is_off(prod: Template) -> None:
    assert all(
        "TracingConfig" not in each["Properties"] for each in prod.of_type(FUNCTION).values()
    )


def test_without_other_word_the_urls_are_the_api_s_own(dev: Template) -> None:
    variables = dev.properties(FUNCTION, "manageprogramfunction")["Environment"]["Variables"]

    own = {"Fn::GetAtt": [dev.logical_id("AWS::ApiGatewayV2::Api", "apihttp"), "ApiEndpoint"]}
    assert (own, own) == (variables["GOODWORD_API_URL"], variables["GOODWORD_SHORT_URL"])


def test_given_urls_reach_functions_and_outputs(local: Template) -> None:
    variables = local.properties(FUNCTION, "manageprogramfunction")["Environment"]["Variables"]

    url = "http://127.0.0.1:8000"
    assert (url, url) == (variables["GOODWORD_API_URL"], variables["GOODWORD_SHORT_URL"])
    assert url == local.body["Outputs"]["ApiUrl"]["Value"]
    assert url == local.body["Outputs"]["ShortUrl"]["Value"]


def test_the_local_stage_differs_in_machine_and_python(local: Template) -> None:
    machine = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"
    functions = local.of_type(FUNCTION).values()

    assert {f"python3.{sys.version_info.minor}"} == {
        each["Properties"]["Runtime"] for each in functions
    }
    assert [machine] == next(iter(functions))["Properties"]["Architectures"]


def test_what_operators_need_is_an_output(dev: Template) -> None:
    assert {
        "AdminSecretName",
        "ApiId",
        "ApiUrl",
        "BooksTableName",
        "BusName",
        "ClicksDlqUrl",
        "ClicksTableName",
        "CoreTableName",
        "EvaluateDlqUrl",
        "EvaluateQueueUrl",
        "RuleDlqUrl",
        "ScheduleDlqUrl",
        "ShortUrl",
        "StackName",
        "StreamDlqUrl",
        "VaultTableName",
    } == set(dev.body["Outputs"])
