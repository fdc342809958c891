"""Webhook secrets under KMS, bound to their source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws

from shared.adapters.secrets import KmsSecrets, kms_client
from shared.domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        yield boto3.client("kms")


@pytest.fixture
def key_id(kms: Any) -> str:  # noqa: ANN401 - a boto3 client
    return str(kms.create_key()["KeyMetadata"]["Arn"])


class Counting:
    """A KMS client that counts its calls, or fails."""

    def __init__(self, client: Any, error: Exception | None = None) -> None:  # noqa: ANN401
        self._client = client
        self._error = error
        self.calls = 0

    def encrypt(self, **request: Any) -> Any:  # noqa: ANN401
        return self._call("encrypt", request)

    def decrypt(self, **request: Any) -> Any:  # noqa: ANN401
        return self._call("decrypt", request)

    def _call(self, name: str, request: dict[str, Any]) -> Any:  # noqa: ANN401
        self.calls += 1
        if self._error:
            raise self._error
        return getattr(self._client, name)(**request)


def test_a_secret_comes_back(kms: Any, key_id: str) -> None:  # noqa: ANN401
    secrets = KmsSecrets(kms, key_id=key_id)

    ciphertext = secrets.encrypt("whsec_ß", source_id="src_1")

    assert b"whsec" not in ciphertext
    assert secrets.decrypt(ciphertext, source_id="src_1") == "whsec_ß"


def test_a_secret_of_another_source_is_refused(kms: Any, key_id: str) -> None:  # noqa: ANN401
    secrets = KmsSecrets(kms, key_id=key_id)
    ciphertext = secrets.encrypt("s", source_id="src_1")
    secrets.decrypt(ciphertext, source_id="src_1")

    with pytest.raises(UnavailableError):
        secrets.decrypt(ciphertext, source_id="src_2")


def test_what_was_decrypted_is_kept_but_not_for_ever(kms: Any, key_id: str) -> None:  # noqa: ANN401
    client: Any = Counting(kms)
    secrets = KmsSecrets(client, key_id=key_id)
    many = [secrets.encrypt(str(number), source_id="src_1") for number in range(70)]
    client.calls = 0

    for _ in range(3):
        secrets.decrypt(many[0], source_id="src_1")
    assert client.calls == 1

    for ciphertext in many:
        secrets.decrypt(ciphertext, source_id="src_1")
    secrets.decrypt(many[0], source_id="src_1")
    assert client.calls == 71


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "KMSInvalidStateException"}}, "Decrypt"),
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "Decrypt"),
        ConnectTimeoutError(endpoint_url="x"),
    ],
)
def test_a_key_that_can_not_be_used_is_an_outage(error: Exception) -> None:
    client: Any = Counting(None, error)
    secrets = KmsSecrets(client, key_id="k")

    with pytest.raises(UnavailableError):
        secrets.encrypt("s", source_id="src_1")
    with pytest.raises(UnavailableError):
        secrets.decrypt(b"c", source_id="src_1")


@pytest.mark.usefixtures("kms")
def test_the_client_waits_briefly() -> None:
    config: Any = kms_client().meta.config

    assert (config.connect_timeout, config.read_timeout) == (1, 2)
