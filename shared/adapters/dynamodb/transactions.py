"""Build conditional writes and run them as one transaction.

Conditions are equality or absence of attributes, which is all that the domain needs: a row must
not exist, or must still carry the version that was read.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import BotoCoreError, ClientError

from shared import names
from shared.adapters.dynamodb.codec import Item, encode, from_wire, to_wire
from shared.domain.errors import StaleVersionError, UnavailableError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from shared.adapters.dynamodb.keys import Key

Operation = dict[str, Any]
"""One member of ``TransactItems``."""

_CONFLICT_TRIES: Final = 4
_BUSY: Final = frozenset(
    {
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The expectation that an attribute is not there."""


ABSENT: Final = Absent()


class ConditionFailedError(StaleVersionError):
    """A condition of a transaction failed; ``failed`` maps positions to the rows found there."""

    def __init__(self, failed: Mapping[int, Item | None]) -> None:
        """Remember which members failed, by their position in the transaction."""
        self.failed = dict(failed)
        super().__init__(f"conditions failed at {sorted(self.failed)}")


class _Expression:
    """Collects names and values while an expression is written."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, dict[str, Any]] = {}

    def name(self, attribute: str) -> str:
        token = f"#n{len(self.names)}"
        self.names[token] = attribute
        return token

    def value(self, value: object) -> str:
        token = f":v{len(self.values)}"
        self.values[token] = encode(value)
        return token

    def condition(self, expect: Mapping[str, object]) -> str:
        parts = []
        for attribute, wanted in expect.items():
            if isinstance(wanted, Absent):
                parts.append(f"attribute_not_exists({self.name(attribute)})")
            else:
                parts.append(f"{self.name(attribute)} = {self.value(wanted)}")
        return " AND ".join(parts)

    def attach(self, operation: Operation) -> Operation:
        if self.names:
            operation["ExpressionAttributeNames"] = self.names
        if self.values:
            operation["ExpressionAttributeValues"] = self.values
        return operation


def _wire_key(key: "Key") -> dict[str, dict[str, str]]:
    return {names.PK: {"S": key[0]}, names.SK: {"S": key[1]}}


def put(
    table: str, key: "Key", item: Item, *, expect: Mapping[str, object] | None = None
) -> Operation:
    """Write a whole row if every expectation holds; ``{"pk": ABSENT}`` means only if new."""
    row = to_wire({**item, names.PK: key[0], names.SK: key[1]})
    operation: Operation = {"TableName": table, "Item": row}
    _expect(operation, _Expression(), expect)
    return {"Put": operation}


def put_new(table: str, key: "Key", item: Item) -> Operation:
    """Write a row that must not exist yet."""
    return put(table, key, item, expect={names.PK: ABSENT})


def update(
    table: str,
    key: "Key",
    *,
    assign: Item,
    remove: Sequence[str] = (),
    expect: Mapping[str, object] | None = None,
) -> Operation:
    """Set and remove attributes of one row if every expectation holds."""
    expression = _Expression()
    sets = [
        f"{expression.name(name)} = {expression.value(value)}" for name, value in assign.items()
    ]
    clauses = ["SET " + ", ".join(sets)] if sets else []
    if remove:
        clauses.append("REMOVE " + ", ".join(expression.name(name) for name in remove))
    operation: Operation = {
        "TableName": table,
        "Key": _wire_key(key),
        "UpdateExpression": " ".join(clauses),
    }
    _expect(operation, expression, expect)
    return {"Update": operation}


def delete(table: str, key: "Key", *, expect: Mapping[str, object] | None = None) -> Operation:
    """Remove one row if every expectation holds."""
    operation: Operation = {"TableName": table, "Key": _wire_key(key)}
    _expect(operation, _Expression(), expect)
    return {"Delete": operation}


def check(table: str, key: "Key", expect: Mapping[str, object]) -> Operation:
    """Demand that every expectation holds of a row that is not written."""
    operation: Operation = {"TableName": table, "Key": _wire_key(key)}
    _expect(operation, _Expression(), expect)
    return {"ConditionCheck": operation}


def _expect(
    operation: Operation, expression: _Expression, expect: Mapping[str, object] | None
) -> None:
    if expect:
        operation["ConditionExpression"] = expression.condition(expect)
        operation["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    expression.attach(operation)


def transact(
    client: "DynamoDBClient",
    operations: Sequence[Operation],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run the operations as one transaction: all of them take effect, or none.

    Conflicts with another transaction are tried again here, with jitter; a failed condition is
    never resent, because it means that the decision must be made anew.

    Raises:
        ConditionFailedError: naming the members whose condition failed.
        UnavailableError: when the store is down, throttled or too busy.
    """
    for attempt in range(_CONFLICT_TRIES):
        try:
            client.transact_write_items(TransactItems=cast("Any", list(operations)))
        except ClientError as error:
            failed = _failed_conditions(error)
            if failed:
                raise ConditionFailedError(failed) from error
            if not _is_busy(error):
                raise _unavailable(error) from error
            sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter, not a secret
        except BotoCoreError as error:
            raise UnavailableError(type(error).__name__) from error
        else:
            return
    message = "transaction conflict"
    raise UnavailableError(message)


def _reasons(error: ClientError) -> list[Mapping[str, Any]]:
    return [*error.response.get("CancellationReasons", [])]


def _failed_conditions(error: ClientError) -> dict[int, Item | None]:
    return {
        position: from_wire(reason["Item"]) if reason.get("Item") else None
        for position, reason in enumerate(_reasons(error))
        if reason.get("Code") == "ConditionalCheckFailed"
    }


def _is_busy(error: ClientError) -> bool:
    if error.response["Error"]["Code"] in _BUSY:
        return True
    return any(reason.get("Code") in _BUSY for reason in _reasons(error))


def _unavailable(error: ClientError) -> Exception:
    """Return what a refused transaction means: our own mistakes stay bugs and propagate."""
    code = error.response["Error"]["Code"]
    if code in {"ValidationException", "IdempotentParameterMismatchException"}:
        return error
    if any(reason.get("Code") == "ValidationError" for reason in _reasons(error)):
        return error
    return UnavailableError(code)
