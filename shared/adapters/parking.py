"""A queue for records that nobody can work on: the record itself with the reason."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.errors import UnavailableError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

MAX_RECORD: Final = 200_000
"""In characters, below what a message may hold."""

_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=1,
    read_timeout=3,
)


def sqs_client() -> "SQSClient":
    """Return a client with explicit timeouts and few retries."""
    return boto3.client("sqs", config=_CONFIG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parking:
    """One queue. Stream destinations get metadata only, and records die after a day."""

    client: "SQSClient"
    queue_url: str

    def park(self, record: Mapping[str, Any], reason: str) -> None:
        """Set a record aside, cut if it is too long. The same one may come twice.

        Raises:
            UnavailableError: when the queue does not answer.
        """
        body = {"reason": reason, "record": json.dumps(record)[:MAX_RECORD]}
        try:
            self.client.send_message(QueueUrl=self.queue_url, MessageBody=json.dumps(body))
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError(type(error).__name__) from error
