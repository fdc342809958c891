"""Stream of the clicks table -> counters; and the recount of a day, called by hand.

Answers the first record that must come again; the stream then redelivers it and all after it.
"""

from datetime import date
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from shared import names
from shared.adapters.crawlers import is_crawler
from shared.adapters.dynamodb.activity import Activity, Clicks, arrival_in, shard_in
from shared.adapters.dynamodb.click_caps import ClickCaps
from shared.adapters.dynamodb.client import dynamodb_client
from shared.adapters.parking import Parking, sqs_client
from shared.domain.activity import Arrival
from shared.domain.errors import UnavailableError
from shared.runtime.clock import utc_now
from shared.runtime.config import required
from shared.usecases.hold_click_caps import hold_click_caps
from shared.usecases.roll_up_activity import recount, roll_up_activity

_logger = Logger(service="roll_up_activity")


@cache
def _adapters() -> tuple[Activity, ClickCaps, Clicks, Parking]:
    client = dynamodb_client()
    return (
        Activity(client=client, core=required(names.ENV_CORE_TABLE)),
        ClickCaps(client=client, core=required(names.ENV_CORE_TABLE)),
        Clicks(client=client, table=required(names.ENV_CLICKS_TABLE)),
        Parking(client=sqs_client(), queue_url=required(names.ENV_PARKED_CLICKS)),
    )


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Count one batch of a shard, or recount one day of a programme."""
    if "recount" in event:
        return _recount(event["recount"])
    shard = shard_in(event)
    store, caps, _, parking = _adapters()
    arrivals, stopped = _read(event["Records"], parking)
    now = utc_now()
    result = roll_up_activity(arrivals, shard, store, is_crawler=is_crawler, now=now)
    beyond_caps = hold_click_caps(arrivals, shard, caps, is_crawler=is_crawler, now=now)
    undone = [place for place in (result.undone, beyond_caps) if place is not None]
    failed = _text_of(min(undone), event["Records"]) if undone else stopped
    if failed:
        _logger.warning("roll_up_incomplete", clicks=len(arrivals), counters=result.counters)
    # A mapping with a window demands a state; what must be remembered is in the counters.
    failures = [{"itemIdentifier": failed}] if failed else []
    return {"state": {}, "batchItemFailures": failures}


def _read(records: list[dict[str, Any]], parking: Parking) -> tuple[list[Arrival], str]:
    """Return the clicks up to the first record that could be neither read nor parked, and it."""
    arrivals: list[Arrival] = []
    for record in records:
        arrival, flaw = _arrival_or_flaw(record)
        if arrival:
            arrivals.append(arrival)
        if flaw:
            try:
                parking.park(record, flaw)
            except UnavailableError:
                return arrivals, record["dynamodb"]["SequenceNumber"]
            _logger.error("click_parked", reason=flaw, event_id=record.get("eventID", ""))
    return arrivals, ""


def _arrival_or_flaw(record: dict[str, Any]) -> tuple[Arrival | None, str]:
    try:
        return arrival_in(record), ""
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return None, type(error).__name__


def _text_of(sequence: int, records: list[dict[str, Any]]) -> str:
    # The stream wants its own spelling back, which may have leading zeros.
    texts = (str(record["dynamodb"]["SequenceNumber"]) for record in records)
    return next(text for text in texts if text.isdigit() and int(text) == sequence)


def _recount(wanted: dict[str, Any]) -> dict[str, Any]:
    store, _, clicks, _ = _adapters()
    found = recount(
        wanted["program_id"],
        date.fromisoformat(wanted["day"]),
        store,
        clicks.of_day,
        is_crawler=is_crawler,
        now=utc_now(),
    )
    _logger.info("activity_recounted", program_id=wanted["program_id"], clicks=found)
    return {"program_id": wanted["program_id"], "day": wanted["day"], "clicks": found}
