"""Published terms as evaluation reads them."""

import json
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get
from shared.domain.errors import NotFoundError
from shared.domain.terms import Terms
from shared.domain.terms_reader import parse_terms

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def published_terms(client: "DynamoDBClient", table: str, program_id: str, version: int) -> Terms:
    """Read a published version.

    Raises:
        NotFoundError: when it was never published: a referral points into the void.
    """
    program = get(client, table, keys.program(program_id))
    published = get(client, table, keys.terms(program_id, version))
    if program is None or published is None:
        raise NotFoundError
    return parse_terms(
        json.loads(published["definition"]),
        currency=program["currency"],
        time_zone=program["time_zone"],
    )
