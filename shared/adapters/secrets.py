"""Webhook secrets: encrypted under KMS, each bound to its source by the encryption context."""

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.errors import UnavailableError

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=1, read_timeout=2
)
_KEPT: Final = 64


def kms_client() -> "KMSClient":
    """Return a client with explicit timeouts and few retries."""
    return boto3.client("kms", config=_CONFIG)


class KmsSecrets:
    """Encrypts and decrypts webhook secrets with one key.

    What was decrypted is kept in memory by its ciphertext, which never stands for anything else;
    a secret that is taken from its source's row is no longer asked for.
    """

    def __init__(self, client: "KMSClient", *, key_id: str) -> None:
        """Bind to a client and the id or ARN of the key."""
        self._client = client
        self._key_id = key_id
        self._kept: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    def encrypt(self, secret: str, *, source_id: str) -> bytes:
        """Return the ciphertext of a secret that only this source can use.

        Raises:
            UnavailableError: when the key can't be used now.
        """
        try:
            answer = self._client.encrypt(
                KeyId=self._key_id,
                Plaintext=secret.encode(),
                EncryptionContext={"source_id": source_id},
            )
        except (BotoCoreError, ClientError) as error:
            raise _unavailable(error) from error
        return bytes(answer["CiphertextBlob"])

    def decrypt(self, ciphertext: bytes, *, source_id: str) -> str:
        """Return the secret behind a ciphertext of this source.

        Raises:
            UnavailableError: when the key can't be used now, or the ciphertext is another's.
        """
        kept = self._kept.get((source_id, ciphertext))
        if kept is not None:
            return kept
        try:
            answer = self._client.decrypt(
                KeyId=self._key_id,
                CiphertextBlob=ciphertext,
                EncryptionContext={"source_id": source_id},
            )
        except (BotoCoreError, ClientError) as error:
            raise _unavailable(error) from error
        secret = bytes(answer["Plaintext"]).decode()
        self._kept[source_id, ciphertext] = secret
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return secret


def _unavailable(error: BotoCoreError | ClientError) -> UnavailableError:
    # Whatever the reason, the sender must come again: it is our side that can't verify.
    if isinstance(error, ClientError):
        return UnavailableError(error.response["Error"]["Code"])
    return UnavailableError(type(error).__name__)
