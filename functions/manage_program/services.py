"""What the routes work with, wired once per execution environment."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic, TypeVar

from shared import names
from shared.adapters.dynamodb import keyrings
from shared.adapters.dynamodb.activity import Activity
from shared.adapters.dynamodb.adjustments import Adjustments
from shared.adapters.dynamodb.answers import Answers
from shared.adapters.dynamodb.api_keys import ApiKeys
from shared.adapters.dynamodb.client import dynamodb_client
from shared.adapters.dynamodb.customers import Customers
from shared.adapters.dynamodb.explanations import Explanations
from shared.adapters.dynamodb.facts_by_hand import FactsByHand
from shared.adapters.dynamodb.fulfilments import Fulfilments
from shared.adapters.dynamodb.fx_rates import FxRates
from shared.adapters.dynamodb.links import Links
from shared.adapters.dynamodb.lists import Lists
from shared.adapters.dynamodb.migrations import Migrations
from shared.adapters.dynamodb.outbox import OutboxRows
from shared.adapters.dynamodb.partners import Partners
from shared.adapters.dynamodb.programs import Programs
from shared.adapters.dynamodb.reviews import Reviews
from shared.adapters.dynamodb.simulations import Jobs
from shared.adapters.dynamodb.sources import Sources
from shared.adapters.root_key import root_secret, secrets_client
from shared.adapters.secrets import KmsSecrets, kms_client
from shared.runtime.clock import utc_now
from shared.runtime.config import required

T = TypeVar("T")
CACHED_SECONDS: Final = 300.0


class Cached(Generic[T]):
    """Remembers a value for five minutes; a failed read is not remembered."""

    def __init__(self, read: Callable[[], T], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._kept: tuple[float, T] | None = None

    def __call__(self) -> T:
        """Return the value, read anew when the last read is old."""
        moment = self._clock()
        if self._kept is None or moment - self._kept[0] > CACHED_SECONDS:
            self._kept = (moment, self._read())
        return self._kept[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Stores over one client, the secrets behind callables, and the public addresses."""

    client: Any
    core: str
    books: str
    vault: str
    api_url: str
    short_url: str
    root_secret: Callable[[], str]
    server_secret: Callable[[], bytes]
    encrypt: Callable[[str, str], bytes]
    """Takes a webhook secret and its source id, returns the ciphertext."""

    @property
    def programs(self) -> Programs:
        """Return the programmes."""
        return Programs(client=self.client, core=self.core)

    @property
    def partners(self) -> Partners:
        """Return the partners."""
        return Partners(client=self.client, core=self.core, vault=self.vault)

    @property
    def links(self) -> Links:
        """Return the links."""
        return Links(client=self.client, core=self.core)

    @property
    def sources(self) -> Sources:
        """Return the webhook sources."""
        return Sources(client=self.client, core=self.core)

    @property
    def api_keys(self) -> ApiKeys:
        """Return the management keys."""
        return ApiKeys(client=self.client, core=self.core)

    @property
    def reviews(self) -> Reviews:
        """Return the referrals."""
        return Reviews(client=self.client, core=self.core)

    @property
    def facts_by_hand(self) -> FactsByHand:
        """Return what facts by hand are checked against."""
        return FactsByHand(client=self.client, core=self.core)

    @property
    def adjustments(self) -> Adjustments:
        """Return what persons give beside all rules."""
        return Adjustments(client=self.client, core=self.core)

    @property
    def fulfilments(self) -> Fulfilments:
        """Return the rewards that are fulfilled by others."""
        return Fulfilments(client=self.client, core=self.core)

    @property
    def fx_rates(self) -> FxRates:
        """Return the exchange rates."""
        return FxRates(client=self.client, core=self.core)

    @property
    def customers(self) -> Customers:
        """Return the lists of existing customers."""
        return Customers(client=self.client, core=self.core)

    @property
    def explanations(self) -> Explanations:
        """Return the decision traces."""
        return Explanations(client=self.client, core=self.core, books=self.books)

    @property
    def click_keyrings(self) -> keyrings.ClickKeyrings:
        """Return the keys that sign click tokens."""
        return keyrings.ClickKeyrings(client=self.client, core=self.core)

    @property
    def activity(self) -> Activity:
        """Return the counters of clicks."""
        return Activity(client=self.client, core=self.core)

    @property
    def answers(self) -> Answers:
        """Return the answered requests."""
        return Answers(client=self.client, core=self.core)

    @property
    def jobs(self) -> Jobs:
        """Return the simulations and migrations."""
        return Jobs(client=self.client, core=self.core)

    @property
    def migrations(self) -> Migrations:
        """Return what migrations do."""
        return Migrations(client=self.client, core=self.core)

    @property
    def outbox(self) -> OutboxRows:
        """Return the events on their way."""
        return OutboxRows(self.client, self.core)

    @property
    def lists(self) -> Lists:
        """Return the lists."""
        return Lists(client=self.client, core=self.core)

    def ensure_keyrings(self, now: datetime) -> None:
        """Make the keyrings if nobody did yet."""
        keyrings.ensure_keyrings(self.client, self.core, now=now)


def ready_secret(client: Any, core: str) -> bytes:  # noqa: ANN401 - a DynamoDB client
    """Return the server's secret, made now if this is the very first request of a deployment."""
    keyrings.ensure_keyrings(client, core, now=utc_now())
    return keyrings.server_secret(client, core)


def from_environment() -> Services:
    """Wire the services of a deployed function.

    Raises:
        ConfigError: naming a missing variable.
    """
    client = dynamodb_client()
    core = required(names.ENV_CORE_TABLE)
    kms = KmsSecrets(kms_client(), key_id=required(names.ENV_SECRETS_KEY))
    secrets = secrets_client()
    admin_secret = required(names.ENV_ADMIN_SECRET)
    return Services(
        client=client,
        core=core,
        books=required(names.ENV_BOOKS_TABLE),
        vault=required(names.ENV_VAULT_TABLE),
        api_url=required(names.ENV_API_URL).rstrip("/"),
        short_url=required(names.ENV_SHORT_URL).rstrip("/"),
        root_secret=Cached(lambda: root_secret(secrets, admin_secret)),
        server_secret=Cached(partial(ready_secret, client, core)),
        encrypt=lambda secret, source_id: kms.encrypt(secret, source_id=source_id),
    )
