from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from shared.adapters.root_key import root_secret
from shared.domain.errors import UnavailableError


class Secrets:
    def __init__(self, answer: Any) -> None:  # noqa: ANN401
        self.answer = answer
        self.asked: list[str] = []

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        self.asked.append(SecretId)
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"SecretString": self.answer}


def test_the_secret_comes_from_its_document() -> None:
    client = Secrets(json.dumps({"id": "root", "secret": "s" * 40}))

    assert "s" * 40 == root_secret(client, "admin")  # type: ignore[arg-type]
    assert client.asked == ["admin"]


@pytest.mark.parametrize(
    "answer",
    [
        "no json",
        "{}",
        "[]",
        '{"secret": ""}',
        '{"secret": 7}',
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue"),
        EndpointConnectionError(endpoint_url="https://secrets.example"),
    ],
)
def test_anything_else_is_unavailable_and_tells_nothing(answer: Any) -> None:  # noqa: ANN401
    with pytest.raises(UnavailableError) as caught:
        root_secret(Secrets(answer), "admin")  # type: ignore[arg-type]

    assert caught.value.__cause__ is None
