"""What a check needs beside the calls themselves: the table's stream, and what a call costs."""

# ruff: noqa: ANN401 - requests and answers are as loosely typed as in boto3

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from bench.meter import Meter
from tests.fakes.dynamodb_tables import table_named

if TYPE_CHECKING:
    from tests.fakes.memory_dynamodb import MemoryDynamo


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One record of a stream."""

    event: str
    sk: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """What a call was charged; ``index`` is the part of all indexes."""

    table: float
    index: float = 0


class Store(Protocol):
    """One table of one backend."""

    client: Any
    table: str

    def changes(self, pk: str) -> list[Change]:
        """Returns a partition's records of the stream, oldest first."""

    def charged(self, call: str, **request: Any) -> Units:
        """Makes a call and returns what it was charged."""


@dataclass(slots=True, kw_only=True)
class MemoryStore:
    """The DynamoDB in memory; its charges are the own arithmetic of the budgets."""

    client: MemoryDynamo
    table: str

    def changes(self, pk: str) -> list[Change]:
        return _changes(self.client.stream_records(self.table), pk)

    def charged(self, call: str, **request: Any) -> Units:
        meter = Meter(client=self.client)
        getattr(self.client, call)(**request)
        usage = meter.taken()
        return Units(table=usage.read_units + usage.write_units, index=usage.index_units)


@dataclass(slots=True, kw_only=True)
class CloudStore:
    """A table in the local cloud, with keys, indexes and stream as the product's own."""

    client: Any
    streams: Any
    table: str
    _stream: str = field(init=False)

    def __post_init__(self) -> None:
        made = table_named(self.table)
        types = dict.fromkeys(made.key_names, "S")
        for pk, sk, kind in made.indexes.values():
            types |= {pk: "S", sk: kind}
        description = self.client.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=_schema(*made.key_names),
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind} for name, kind in types.items()
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": index,
                    "KeySchema": _schema(pk, sk),
                    "Projection": {"ProjectionType": "ALL"},
                }
                for index, (pk, sk, _) in made.indexes.items()
            ],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]
        self._stream = description["LatestStreamArn"]

    def changes(self, pk: str) -> list[Change]:
        found = self.streams.describe_stream(StreamArn=self._stream)["StreamDescription"]
        records: list[dict[str, Any]] = []
        for shard in found["Shards"]:
            iterator = self.streams.get_shard_iterator(
                StreamArn=self._stream,
                ShardId=shard["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
            while iterator:
                page = self.streams.get_records(ShardIterator=iterator)
                records += page["Records"]
                iterator = page.get("NextShardIterator") if page["Records"] else None
        return _changes(records, pk)

    def charged(self, call: str, **request: Any) -> Units:
        answer = getattr(self.client, call)(ReturnConsumedCapacity="INDEXES", **request)
        told = answer["ConsumedCapacity"]
        (one,) = told if isinstance(told, list) else [told]
        index = sum(
            part["CapacityUnits"] for part in one.get("GlobalSecondaryIndexes", {}).values()
        )
        return Units(table=one["CapacityUnits"] - index, index=index)


def _schema(*keys: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": a, "KeyType": k} for a, k in zip(keys, kinds, strict=False)]


def _changes(records: list[dict[str, Any]], pk: str) -> list[Change]:
    return [
        Change(
            event=record["eventName"],
            sk=told["Keys"]["sk"]["S"],
            old=told.get("OldImage"),
            new=told.get("NewImage"),
            sequence=int(told["SequenceNumber"]),
        )
        for record in records
        if (told := record["dynamodb"])["Keys"]["pk"]["S"] == pk
    ]
