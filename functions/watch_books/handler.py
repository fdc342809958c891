"""Stream of the books -> alarm: a row that was changed or removed is told, a new one never.

No role may do it, and the hash chain finds it afterwards; this says so within a minute.
"""

from typing import Any, Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from shared import names
from shared.runtime.config import required

_APPENDED: Final = "INSERT"
_logger = Logger(service="watch_books")
_metrics = Metrics(namespace=names.METRICS, service="watch_books")


def handler(event: dict[str, Any], _context: object) -> None:
    """Tell of every record that is no new row; the mapping's filter lets none other through."""
    tampered = [record for record in event["Records"] if record["eventName"] != _APPENDED]
    for record in tampered:
        change = record["dynamodb"]
        _logger.error(
            "books_tampered",
            # The keys alone: they are ids, and say which row to look at.
            event_name=record["eventName"],
            holder=change["Keys"][names.PK]["S"],
            row=change["Keys"][names.SK]["S"],
            sequence_number=change["SequenceNumber"],
        )
    if tampered:
        _metrics.add_dimension(name=names.METRIC_STAGE, value=required(names.ENV_STAGE))
        _metrics.add_metric(
            name=names.METRIC_BOOKS_TAMPERED, unit=MetricUnit.Count, value=len(tampered)
        )
        _metrics.flush_metrics()
