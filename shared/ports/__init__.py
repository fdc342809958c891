"""What use cases need from the outside, as small Protocols. Adapters satisfy them."""

from collections.abc import Callable

from shared.ports.deliveries import DeliveryStore, Inbox, WaitingStore, WebhookSecrets
from shared.ports.intake import IntakeStore, ReceiptSecrets
from shared.ports.management import (
    AdjustmentStore,
    ApiKeyStore,
    FulfilmentStore,
    HandStore,
    HistoryStore,
    JobStore,
    LinkStore,
    MigrationStore,
    PartnerStore,
    ProgramStore,
    RateStore,
    ReviewStore,
    SourceStore,
    TraceStore,
)
from shared.ports.money import AdjustmentLedger, Ledger
from shared.ports.outbox import Bus, Outbox

NewId = Callable[[str], str]
"""Takes a prefix such as ``ref`` and returns a fresh id such as ``ref_01k...``."""

__all__ = [
    "AdjustmentLedger",
    "AdjustmentStore",
    "ApiKeyStore",
    "Bus",
    "DeliveryStore",
    "FulfilmentStore",
    "HandStore",
    "HistoryStore",
    "Inbox",
    "IntakeStore",
    "JobStore",
    "Ledger",
    "LinkStore",
    "MigrationStore",
    "NewId",
    "Outbox",
    "PartnerStore",
    "ProgramStore",
    "RateStore",
    "ReceiptSecrets",
    "ReviewStore",
    "SourceStore",
    "TraceStore",
    "WaitingStore",
    "WebhookSecrets",
]
