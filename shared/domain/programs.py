"""Programmes: who may refer whom under which terms, in one ledger currency."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.domain.links import GPC

STATUSES: Final = ("draft", "pilot", "active", "paused", "closed")
ENROLMENTS: Final = ("open", "application", "invitation")
DEFAULT_CLICK_PARAM: Final = "click_id"
DEFAULT_ADJUSTMENT_LIMIT: Final = "500.00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A referral programme. ``terms_version`` is the newest published one, 0 if there is none.

    ``time_zone`` is an IANA name; ``landing_hosts`` are the only hosts that links may point to;
    ``allowed_origins`` the only web origins that may post forms or be redirected back to;
    ``publish_rewards`` shows the table of rewards to everybody; an adjustment over
    ``adjustment_limit`` (a decimal string) takes a second person; ``utm_templates`` are what
    links of a campaign, or all of them (``*``), send as UTM. ``customers_listed`` says that
    there is a list of who was a customer already. ``keeps_ad_ids``: clicks remember by which
    advertisement they came; ``privacy_signals`` says which visitors are remembered less.
    """

    program_id: str
    name: str
    currency: str
    time_zone: str = "UTC"
    status: str = "active"
    enrolment: str = "invitation"
    landing_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    thank_you_url: str = ""
    fallback_url: str = ""
    click_param: str = DEFAULT_CLICK_PARAM
    utm_templates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    keeps_ad_ids: bool = False
    privacy_signals: str = GPC
    publish_rewards: bool = False
    adjustment_limit: str = DEFAULT_ADJUSTMENT_LIMIT
    customers_listed: bool = False
    terms_version: int = 0
    version: int = 1
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTerms:
    """One immutable version of a programme's terms, as its author wrote them."""

    program_id: str
    version: int
    definition: dict[str, object] = field(default_factory=dict)
    effective_from: datetime
    published_by: str
