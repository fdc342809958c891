"""Routes of rewards, movements and balances: reading only."""

from typing import Final

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from shared.adapters.dynamodb.books import books_of_holder, read_book
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.rewards import reward_from
from shared.adapters.dynamodb.statements import Statements
from shared.domain.books import Book, Movement
from shared.domain.errors import NotFoundError, invalid
from shared.domain.rewards import (
    FULFILLED,
    ISSUED,
    KEPT_FULFILLED,
    REDEEMED,
    REFUSED,
    VOIDED,
    Reward,
)
from shared.usecases.holder_status import Holders

LIST: Final = "RWD"
STATES: Final = (
    *("pending", "held", "approved", "in_payout", "paid", "rejected", "reversed", "clawed_back"),
    *(ISSUED, FULFILLED, REDEEMED, REFUSED, VOIDED, KEPT_FULFILLED),
)
"""Every word that the state of a reward can be."""


def rewards(call: Call) -> Answer:
    """List rewards of a referral, a partner or a programme."""
    query = call.query("referral_id", "partner_id", "program_id", "state", *paging.PAGING)
    after, limit = paging.after_of(call, query), paging.limit_of(query)
    if query.get("state", STATES[0]) not in STATES:
        raise invalid("state", "not_allowed", "must be one of " + ", ".join(STATES))
    services = call.services
    holders = Holders(services.explanations)

    def is_wanted(reward: Reward) -> bool:
        return (
            query.get("program_id", reward.program_id) == reward.program_id
            and query.get("partner_id", reward.holder_id) == reward.holder_id
            and query.get("state", reward.state) == reward.state
        )

    def view(row: Item) -> views.Json | None:
        reward = holders.as_held(reward_from(row))
        return views.reward(reward) if is_wanted(reward) else None

    if "referral_id" in query:
        _demand_referral(call, query["referral_id"])
        found = map(holders.as_held, services.explanations.rewards(query["referral_id"]))
        wanted = sorted(
            (reward for reward in found if is_wanted(reward) and reward.reward_id > after),
            key=lambda reward: reward.reward_id,
        )
        shown = wanted[:limit]
        place = shown[-1].reward_id if len(wanted) > limit else ""
        return paging.listed(call, query, [views.reward(reward) for reward in shown], place)
    if "partner_id" in query:
        page = services.lists.of_partner(LIST, query["partner_id"], after=after, limit=limit)
    elif "program_id" in query:
        page = services.lists.page(LIST, query["program_id"], after=after, limit=limit)
    else:
        raise invalid("referral_id", "required", "give referral_id, partner_id or program_id")
    return paging.answer(call, query, page, view)


def movements(call: Call) -> Answer:
    """List movements of a referral, a partner or a programme: newest first, book by book."""
    query = call.query("referral_id", "partner_id", "program_id", *paging.PAGING)
    after, limit = paging.after_of(call, query), paging.limit_of(query)
    services = call.services
    statements = Statements(client=services.client, core=services.core, books=services.books)
    if "referral_id" in query:
        _demand_referral(call, query["referral_id"])
        found, place = statements.of_referral(query["referral_id"], after=after, limit=limit)
    elif "partner_id" in query and "program_id" in query:
        found, place = statements.of_holder(
            query["partner_id"], query["program_id"], after=after, limit=limit
        )
    elif "partner_id" in query:
        found, place = statements.of_books(query["partner_id"], after=after, limit=limit)
    elif "program_id" not in query:
        raise invalid("referral_id", "required", "give referral_id, partner_id or program_id")
    else:
        found, place = statements.of_program(query["program_id"], after=after, limit=limit)

    def is_wanted(movement: Movement) -> bool:
        return (
            query.get("program_id", movement.program_id) == movement.program_id
            and query.get("partner_id", movement.holder_id) == movement.holder_id
        )

    items = [views.movement(movement) for movement in found if is_wanted(movement)]
    return paging.listed(call, query, items, place)


def balances(call: Call) -> Answer:
    """Show a partner's balances by programme, kind and currency."""
    query = call.query("partner_id", "program_id")
    services = call.services
    if "partner_id" not in query:
        raise invalid("partner_id", "required", "give partner_id")
    if "program_id" in query:
        book = read_book(services.client, services.core, query["partner_id"], query["program_id"])
        books: tuple[Book, ...] = (book,)
    else:
        books = books_of_holder(services.client, services.core, query["partner_id"])
    return paging.listed(call, query, [entry for book in books for entry in views.balances(book)])


def _demand_referral(call: Call, referral_id: str) -> None:
    if call.services.reviews.referral(referral_id) is None:
        raise NotFoundError
