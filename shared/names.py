"""Strings that code and infrastructure must agree on.

Functions read them at run time, ``infra`` writes them into the template; nothing else may spell
an environment variable, a table attribute, an index or an event source.
"""

from typing import Final

EVENT_SOURCE: Final = "goodword"

EVALUATE_TRIES: Final = 5
"""How often a message of the evaluation's queue is handed out before it is set aside."""

# Environment of the functions. Each function gets only what it needs.
ENV_STAGE: Final = "GOODWORD_STAGE"
ENV_CORE_TABLE: Final = "GOODWORD_CORE_TABLE"
ENV_BOOKS_TABLE: Final = "GOODWORD_BOOKS_TABLE"
ENV_CLICKS_TABLE: Final = "GOODWORD_CLICKS_TABLE"
ENV_VAULT_TABLE: Final = "GOODWORD_VAULT_TABLE"
ENV_BUS: Final = "GOODWORD_BUS"
ENV_API_URL: Final = "GOODWORD_API_URL"
"""Public base URL of the API, no trailing slash. URL-signed webhooks are verified against it."""
ENV_SHORT_URL: Final = "GOODWORD_SHORT_URL"
"""Public base URL of short links, no trailing slash."""
ENV_FALLBACK_URL: Final = "GOODWORD_FALLBACK_URL"
"""Where unknown short links go; empty means 404."""
ENV_SECRETS_KEY: Final = "GOODWORD_SECRETS_KEY"
"""KMS key that encrypts webhook secrets at rest."""
ENV_ADMIN_SECRET: Final = "GOODWORD_ADMIN_SECRET"  # noqa: S105 - the name of a variable
"""Secrets Manager id of the first management key: ``{"id": "root", "secret": "..."}``."""

# Metrics that functions write into their logs and alarms look at.
METRICS: Final = "Goodword"
METRIC_SERVICE: Final = "service"
METRIC_STAGE: Final = "stage"
METRIC_BOOKS_TAMPERED: Final = "BooksTampered"
METRIC_SET_ASIDE: Final = "SetAside"
SET_ASIDE: Final = "set_aside"
"""The service of that figure: several functions set work aside, and one alarm tells of all."""
ENV_PARKED_CLICKS: Final = "GOODWORD_PARKED_CLICKS"
"""URL of the queue for clicks that can't be counted."""

# Table attributes that the template declares.
PK: Final = "pk"
SK: Final = "sk"
TTL: Final = "expires_at_epoch"

# Sparse indexes of the core table. Keys are ALL projected.
INDEX_LIST: Final = "by_list"
LIST_PK: Final = "list_pk"
LIST_SK: Final = "list_sk"
INDEX_PARTNER: Final = "by_partner"
PARTNER_PK: Final = "partner_pk"
PARTNER_SK: Final = "partner_sk"
INDEX_DUE: Final = "by_due"
DUE_PK: Final = "due_pk"
DUE_SK: Final = "due_sk"

# Indexes of the books table, for reading only: no money decision uses them.
INDEX_SEQ: Final = "by_seq"
SEQ: Final = "seq"
INDEX_PROGRAM: Final = "by_program"
PROGRAM_PK: Final = "program_pk"
PROGRAM_SK: Final = "program_sk"

# Leading keys that roles are narrowed to.
LINK_PREFIX: Final = "LINK#"
DELIVERY_PREFIX: Final = "DLV#"
OUTBOX_PREFIX: Final = "OUT#"
ACTIVITY_PREFIX: Final = "ACT#"
CLICK_KEYRING: Final = "KEYRING#click"
SERVER_KEYRING: Final = "KEYRING#server"
