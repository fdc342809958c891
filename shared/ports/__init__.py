"""What use cases need from the outside, as small Protocols. Adapters satisfy them."""

from collections.abc import Callable

from shared.ports.activity import ActivityStore, CapStore
from shared.ports.deliveries import (
    DeliveryStore,
    Inbox,
    ReplayStore,
    WaitingStore,
    WebhookSecrets,
)
from shared.ports.intake import IntakeStore, ReceiptSecrets
from shared.ports.management import (
    AdjustmentStore,
    ApiKeyStore,
    CustomerStore,
    FulfilmentStore,
    HandStore,
    HistoryReader,
    HistoryStore,
    JobStore,
    KeyringStore,
    LinkStore,
    MigrationStore,
    PartnerStore,
    ProgramStore,
    RateStore,
    ReviewStore,
    SourceStore,
    StatusStore,
    TraceStore,
)
from shared.ports.money import AdjustmentLedger, Ledger, MaturityLedger, PartnerLedger, RateWaits
from shared.ports.outbox import Bus, Outbox, ParkedEvents

NewId = Callable[[str], str]
"""Takes a prefix such as ``ref`` and returns a fresh id such as ``ref_01k...``."""

__all__ = [
    "ActivityStore",
    "AdjustmentLedger",
    "AdjustmentStore",
    "ApiKeyStore",
    "Bus",
    "CapStore",
    "CustomerStore",
    "DeliveryStore",
    "FulfilmentStore",
    "HandStore",
    "HistoryReader",
    "HistoryStore",
    "Inbox",
    "IntakeStore",
    "JobStore",
    "KeyringStore",
    "Ledger",
    "LinkStore",
    "MaturityLedger",
    "MigrationStore",
    "NewId",
    "Outbox",
    "ParkedEvents",
    "PartnerLedger",
    "PartnerStore",
    "ProgramStore",
    "RateStore",
    "RateWaits",
    "ReceiptSecrets",
    "ReplayStore",
    "ReviewStore",
    "SourceStore",
    "StatusStore",
    "TraceStore",
    "WaitingStore",
    "WebhookSecrets",
]
