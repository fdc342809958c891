"""What the secrets of sources rely on in KMS; tests of adapters run on moto's."""

# ruff: noqa: ANN401 - requests and answers are as loosely typed as in boto3

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from local.emulator import REGION
from tests.conformance.rows import code

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXT = {"source_id": "src_1"}


@pytest.fixture(params=["moto", pytest.param("cloud", marks=pytest.mark.e2e)])
def kms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "cloud":
        yield request.getfixturevalue("cloud").client("kms")
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("kms", region_name=REGION)


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def ciphertext(kms: Any, key: str) -> bytes:
    answer = kms.encrypt(KeyId=key, Plaintext=b"\x00whsec", EncryptionContext=CONTEXT)
    return bytes(answer["CiphertextBlob"])


def test_what_was_encrypted_comes_back(kms: Any, key: str, ciphertext: bytes) -> None:
    answer = kms.decrypt(KeyId=key, CiphertextBlob=ciphertext, EncryptionContext=CONTEXT)

    assert b"whsec" not in ciphertext
    assert b"\x00whsec" == answer["Plaintext"]


@pytest.mark.parametrize(
    "context", [{"source_id": "src_2"}, {}], ids=["another context", "no context"]
)
def test_a_ciphertext_is_bound_to_its_context(
    kms: Any, key: str, ciphertext: bytes, context: dict[str, str]
) -> None:
    failure = code(kms.decrypt, KeyId=key, CiphertextBlob=ciphertext, EncryptionContext=context)

    assert "InvalidCiphertextException" == failure


def test_a_changed_ciphertext_is_refused(kms: Any, key: str, ciphertext: bytes) -> None:
    changed = ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])

    failure = code(kms.decrypt, KeyId=key, CiphertextBlob=changed, EncryptionContext=CONTEXT)

    assert "InvalidCiphertextException" == failure


def test_a_ciphertext_of_another_key_is_refused(kms: Any, ciphertext: bytes) -> None:
    other = kms.create_key()["KeyMetadata"]["Arn"]

    failure = code(kms.decrypt, KeyId=other, CiphertextBlob=ciphertext, EncryptionContext=CONTEXT)

    assert "IncorrectKeyException" == failure


def test_an_unknown_key_is_told(kms: Any, key: str) -> None:
    unknown = key.rpartition("/")[0] + "/00000000-0000-0000-0000-000000000000"

    assert "NotFoundException" == code(kms.encrypt, KeyId=unknown, Plaintext=b"s")
