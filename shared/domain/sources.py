"""Webhook sources: where deliveries come from and how they prove it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.domain.stages import StageMap

KINDS: Final = ("hubspot", "standard")
"""The kinds that this version verifies and understands."""

GROSS: Final = "gross"
NET: Final = "net"
AMOUNTS: Final = (GROSS, NET)
"""What a deal's amount is: as it was sold, or less what was refunded of it by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One sender with its own address, secret and stage map.

    ``secrets`` are ciphertexts, newest first; at most two live at a time, for rotation.
    ``default_currency`` stands in where the sender names none. ``amount_is`` says whether the
    amounts that it tells of deals are gross or net of refunds.
    """

    source_id: str
    program_id: str
    kind: str
    name: str
    secrets: tuple[bytes, ...]
    stage_map: StageMap
    default_currency: str
    created_at: datetime
    amount_is: str = GROSS
