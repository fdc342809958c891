"""The first management secret, which the deployment generated in Secrets Manager."""

import json
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.errors import UnavailableError

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=1, read_timeout=3
)


def secrets_client() -> "SecretsManagerClient":
    """Return a client with explicit timeouts and few retries."""
    return boto3.client("secretsmanager", config=_CONFIG)


def root_secret(client: "SecretsManagerClient", name: str) -> str:
    """Return the generated secret.

    Raises:
        UnavailableError: when Secrets Manager does not answer or holds something else.
    """
    try:
        text = client.get_secret_value(SecretId=name)["SecretString"]
        secret = json.loads(text)["secret"]
    except (BotoCoreError, ClientError, KeyError, TypeError, ValueError) as error:
        # Never chained: the text of a parse error could hold a part of the secret.
        raise UnavailableError(type(error).__name__) from None
    if not isinstance(secret, str) or not secret:
        raise UnavailableError("empty root secret")
    return secret
