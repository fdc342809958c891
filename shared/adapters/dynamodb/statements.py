"""Pages of movements, for people who look into the books. No decision reads them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.books import (
    books_of_holder,
    movement_from,
    movements_of_referral,
    movements_of_reward,
    newest_movements,
)
from shared.adapters.dynamodb.client import unavailable
from shared.adapters.dynamodb.codec import from_wire
from shared.adapters.dynamodb.rewards import rewards_of_referral
from shared.domain.books import Movement

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

LIST: Final = "MOV"


def place_of(movement: Movement) -> str:
    """Return a movement's place in a list by time."""
    return f"{movement.posted_at.isoformat()}#{movement.movement_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """Movements of the books table, newest first."""

    client: "DynamoDBClient"
    core: str
    books: str

    def of_program(
        self, program_id: str, *, after: str, limit: int
    ) -> tuple[tuple[Movement, ...], str]:
        """Return a page of a programme's movements, and where the next one begins."""
        found: list[Movement] = []
        for partition in keys.list_partitions(LIST, program_id):
            found += newest_movements(
                self.client, self.books, partition, limit=limit + 1, before=after
            )
        return _page(found, limit)

    def of_holder(
        self, holder_id: str, program_id: str, *, after: str, limit: int
    ) -> tuple[tuple[Movement, ...], str]:
        """Return a page of one book, and where the next one begins (a number in its chain)."""
        partition, _ = keys.movement(holder_id, program_id, "")
        request: dict[str, Any] = {
            "TableName": self.books,
            "IndexName": names.INDEX_SEQ,
            "KeyConditionExpression": "#p = :p",
            "ExpressionAttributeNames": {"#p": names.PK},
            "ExpressionAttributeValues": {":p": {"S": partition}},
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if after:
            request["KeyConditionExpression"] += " AND #s < :s"
            request["ExpressionAttributeNames"]["#s"] = names.SEQ
            request["ExpressionAttributeValues"][":s"] = {"N": str(int(after))}
        try:
            rows = self.client.query(**request)["Items"]
        except (BotoCoreError, ClientError) as error:
            raise unavailable(error) from error
        found = tuple(movement_from(from_wire(dict(row))) for row in rows)
        return found, str(found[-1].seq) if found and found[-1].seq > 1 else ""

    def of_books(
        self, holder_id: str, *, after: str, limit: int
    ) -> tuple[tuple[Movement, ...], str]:
        """Return a page of all books of a holder, one after the other, and the next place."""
        books = books_of_holder(self.client, self.core, holder_id)
        current, _, place = after.partition("#")
        found: tuple[Movement, ...] = ()
        for program_id in sorted(book.program_id for book in books):
            if program_id < current:
                continue
            if len(found) == limit:
                return found, f"{program_id}#"
            before = place if program_id == current else ""
            rows, rest = self.of_holder(
                holder_id, program_id, after=before, limit=limit - len(found)
            )
            found += rows
            if rest:
                return found, f"{program_id}#{rest}"
        return found, ""

    def of_referral(
        self, referral_id: str, *, after: str, limit: int
    ) -> tuple[tuple[Movement, ...], str]:
        """Return a page of a referral's movements in all books it touched."""
        rewards = rewards_of_referral(self.client, self.core, referral_id)
        found: list[Movement] = []
        for holder_id, program_id in sorted({(one.holder_id, one.program_id) for one in rewards}):
            found += movements_of_referral(
                self.client, self.books, holder_id, program_id, referral_id
            )
        for one in rewards:
            found += movements_of_reward(
                self.client, self.books, one.holder_id, one.program_id, one.reward_id
            )
        return _page([one for one in found if not after or place_of(one) < after], limit)


def _page(found: list[Movement], limit: int) -> tuple[tuple[Movement, ...], str]:
    found.sort(key=place_of, reverse=True)
    page = tuple(found[:limit])
    return page, place_of(page[-1]) if len(found) > limit else ""
