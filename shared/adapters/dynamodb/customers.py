"""Lists of existing customers: a row of its own for each keyed hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.transactions import delete, put, transact

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_AT_ONCE: Final = 100


def is_customer(
    client: "DynamoDBClient", core: str, program_id: str, customer_ids: Sequence[str]
) -> bool:
    """Tell whether any of the entries is on the programme's list."""
    return any(get(client, core, keys.customer(program_id, each)) for each in customer_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """Lists of customers in the core table."""

    client: "DynamoDBClient"
    core: str

    def add_customers(
        self, program_id: str, customer_ids: Sequence[str], *, actor: str, now: datetime
    ) -> None:
        """Store the entries, a hundred at a time; a run that is stopped can be done again."""
        row = {"program_id": program_id, "added_by": actor, "added_at": now.isoformat()}
        wanted = sorted(set(customer_ids))
        for start in range(0, len(wanted), _AT_ONCE):
            chunk = wanted[start : start + _AT_ONCE]
            transact(
                self.client,
                [
                    put(self.core, keys.customer(program_id, each), {**row, "customer_id": each})
                    for each in chunk
                ],
            )

    def remove_customer(self, program_id: str, customer_id: str) -> None:
        """Remove an entry, if it is there."""
        transact(self.client, [delete(self.core, keys.customer(program_id, customer_id))])
