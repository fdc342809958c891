"""The functions: what each is given and which routes lead to it.

The folder under ``functions/``, the construct and the deployed function share one name.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared import names


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """One Lambda function, as far as it is the same in every stage.

    ``environment`` lists the variables that it reads; it gets no other. ``routes`` are route keys
    of the HTTP API.
    """

    name: str
    memory_mb: int
    timeout_seconds: int
    environment: tuple[str, ...]
    routes: tuple[str, ...] = ()

    @property
    def handler(self) -> str:
        """Where Lambda finds the entry point."""
        return f"functions.{self.name}.handler.handler"


TRACK_CLICK = FunctionSpec(
    name="track_click",
    # CPU comes with memory; the redirect is a person waiting.
    memory_mb=512,
    timeout_seconds=5,
    environment=(
        names.ENV_CORE_TABLE,
        names.ENV_CLICKS_TABLE,
        names.ENV_FALLBACK_URL,
    ),
    routes=("GET /{code}", "HEAD /{code}", "GET /healthz", "$default"),
)

SUBMIT_REFERRAL = FunctionSpec(
    name="submit_referral",
    memory_mb=512,
    timeout_seconds=15,
    environment=(
        names.ENV_CORE_TABLE,
        names.ENV_VAULT_TABLE,
        names.ENV_API_URL,
    ),
    routes=(
        "POST /v1/programs/{program_id}/referrals",
        "OPTIONS /v1/programs/{program_id}/referrals",
        "GET /v1/receipts/{token}",
    ),
)

RECEIVE_WEBHOOK = FunctionSpec(
    name="receive_webhook",
    memory_mb=512,
    timeout_seconds=15,
    environment=(
        names.ENV_CORE_TABLE,
        names.ENV_VAULT_TABLE,
        names.ENV_API_URL,
        names.ENV_SECRETS_KEY,
    ),
    routes=("POST /v1/webhooks/{source_id}",),
)

EVALUATE_REWARD = FunctionSpec(
    name="evaluate_reward",
    memory_mb=1024,  # the last step of a simulation holds every claim
    timeout_seconds=60,
    environment=(
        names.ENV_CORE_TABLE,
        names.ENV_BOOKS_TABLE,
        names.ENV_VAULT_TABLE,
    ),
)

PUBLISH_EVENTS = FunctionSpec(
    name="publish_events",
    memory_mb=256,
    timeout_seconds=30,
    environment=(
        names.ENV_CORE_TABLE,
        names.ENV_BUS,
    ),
)

MATURE_REWARDS = FunctionSpec(
    name="mature_rewards",
    memory_mb=512,
    timeout_seconds=55,  # done before the next minute's run starts
    environment=(
        names.ENV_CORE_TABLE,
        names.ENV_BOOKS_TABLE,
        names.ENV_BUS,
    ),
)

ROLL_UP_ACTIVITY = FunctionSpec(
    name="roll_up_activity",
    memory_mb=1024,  # a recount holds all clicks of a programme's day
    timeout_seconds=900,  # and reads the whole table; a batch takes seconds
    environment=(
        names.ENV_CORE_TABLE,
        names.ENV_CLICKS_TABLE,
        names.ENV_PARKED_CLICKS,
    ),
)

WATCH_BOOKS = FunctionSpec(
    name="watch_books",
    memory_mb=256,
    timeout_seconds=30,
    environment=(),
)

MANAGE_PROGRAM = FunctionSpec(
    name="manage_program",
    memory_mb=512,
    timeout_seconds=25,
    environment=(
        names.ENV_CORE_TABLE,
        names.ENV_BOOKS_TABLE,
        names.ENV_VAULT_TABLE,
        names.ENV_API_URL,
        names.ENV_SHORT_URL,
        names.ENV_SECRETS_KEY,
        names.ENV_ADMIN_SECRET,
    ),
    routes=(
        "ANY /v1/manage/{proxy+}",
        "GET /v1/programs/{program_id}/rewards-table",
    ),
)

FUNCTIONS = (
    TRACK_CLICK,
    SUBMIT_REFERRAL,
    RECEIVE_WEBHOOK,
    EVALUATE_REWARD,
    PUBLISH_EVENTS,
    MATURE_REWARDS,
    ROLL_UP_ACTIVITY,
    WATCH_BOOKS,
    MANAGE_PROGRAM,
)
