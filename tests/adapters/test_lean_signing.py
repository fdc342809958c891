"""The redirect's client signs as the SDK does, and reads the SDK's variables."""

from __future__ import annotations

import datetime as dt
import random
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SdkCredentials

from shared.adapters.dynamodb import lean
from shared.adapters.dynamodb.lean import client_from_environment
from shared.adapters.dynamodb.lean_credentials import Credentials

SIGNED_CASES = 3_000
REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1")


def a_word(chance: random.Random, alphabet: str, at_most: int) -> str:
    return "".join(chance.choice(alphabet) for _ in range(chance.randint(1, at_most)))


def sdk_authorization(
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    *,
    credentials: Credentials,
    region: str,
    body: bytes,
    second: int,
) -> str:
    now = dt.datetime.fromtimestamp(second, dt.UTC).replace(tzinfo=None)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_options: now)
    request = AWSRequest(
        "POST",
        f"https://{headers['host']}/",
        data=body,
        headers={name: headers[name] for name in ("content-type", "x-amz-target")},
    )
    keys = SdkCredentials(
        credentials.access_key, credentials.secret_key, credentials.session_token or None
    )
    SigV4Auth(keys, "dynamodb", region).add_auth(request)
    assert request.headers["X-Amz-Date"] == headers["x-amz-date"]
    return str(request.headers["authorization"])


def test_signatures_are_those_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(20_260_102)  # noqa: S311 - the same cases at every run
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/="

    for _ in range(SIGNED_CASES):
        region = chance.choice(REGIONS)
        credentials = Credentials(
            access_key=a_word(chance, letters[:62], 24),
            secret_key=a_word(chance, letters, 60),
            session_token=a_word(chance, letters, 900) if chance.random() < 0.8 else "",
        )
        body = chance.randbytes(chance.randint(0, 300))
        second = chance.randint(1_000_000_000, 4_000_000_000)
        host = chance.choice([f"dynamodb.{region}.amazonaws.com", "127.0.0.1:4566", "[::1]:8000"])

        headers = lean.sign(
            credentials=credentials,
            region=region,
            host=host,
            target="DynamoDB_20120810." + chance.choice(["GetItem", "PutItem"]),
            body=body,
            at=time.gmtime(second),
        )

        assert headers["authorization"] == sdk_authorization(
            monkeypatch, headers, credentials=credentials, region=region, body=body, second=second
        )
        assert credentials.session_token == headers.get("x-amz-security-token", "")


ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "very-secret",
    "AWS_SESSION_TOKEN": "session",
}


@pytest.mark.parametrize(
    ("changes", "host", "is_secure"),
    [
        ({}, "dynamodb.eu-central-1.amazonaws.com", True),
        ({"AWS_REGION": "cn-north-1"}, "dynamodb.cn-north-1.amazonaws.com.cn", True),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "127.0.0.1:4566", False),
        (
            {"AWS_ENDPOINT_URL": "http://other:1", "AWS_ENDPOINT_URL_DYNAMODB": "https://mine:2/"},
            "mine:2",
            True,
        ),
    ],
)
def test_the_environment_says_where_the_service_is(
    changes: dict[str, str],
    host: str,
    is_secure: bool,  # noqa: FBT001 - a column of the table
) -> None:
    client = client_from_environment(ENVIRONMENT | changes)

    assert host == client._host
    assert is_secure == (client._connection._context is not None)


def test_the_environment_says_who_signs() -> None:
    client = client_from_environment(
        {"AWS_DEFAULT_REGION": "us-east-1", **ENVIRONMENT, "AWS_REGION": ""}
    )

    assert "us-east-1" == client._region
    assert (
        Credentials(access_key="AKIDEXAMPLE", secret_key="very-secret", session_token="session")
        == client._live_credentials()
    )


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"])
def test_a_missing_variable_is_named(name: str) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != name}

    with pytest.raises(KeyError, match="AWS_"):
        client_from_environment(environment)


@pytest.mark.parametrize(
    ("url", "hostname", "port"),
    [
        ("https://dynamodb.eu-central-1.amazonaws.com", "dynamodb.eu-central-1.amazonaws.com", 443),
        ("https://host:8443/", "host", 8443),
        ("http://host", "host", 80),
        ("http://[::1]:8000", "::1", 8000),
    ],
)
def test_an_address_is_read(url: str, hostname: str, port: int) -> None:
    client = client_from_environment(ENVIRONMENT | {"AWS_ENDPOINT_URL": url})

    assert (hostname.encode(), port) == (client._connection._hostname, client._connection._port)


@pytest.mark.parametrize("url", ["host:1", "ftp://host", "http://", "http://host/path"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        client_from_environment(ENVIRONMENT | {"AWS_ENDPOINT_URL": url})


def test_secrets_are_never_shown() -> None:
    assert "very-secret" not in repr(client_from_environment(ENVIRONMENT)._live_credentials())
    assert "session'" not in repr(client_from_environment(ENVIRONMENT)._live_credentials())
