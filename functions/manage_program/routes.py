"""All routes of the management API and the scope that each one demands.

Whatever is not listed does not exist, and a route can't be listed without a scope.
"""

from typing import Final

from functions.manage_program import (
    adjustments,
    api_keys,
    click_keys,
    customers,
    deliveries,
    events,
    facts,
    fulfilments,
    fx_rates,
    links,
    metrics,
    partner_files,
    partners,
    programs,
    qr_codes,
    referrals,
    rewards,
    rewards_table,
    simulations,
    sources,
)
from functions.manage_program.calls import Route, Run
from shared.domain import access

PREFIX: Final = "/v1/manage"
PUBLIC_TABLE: Final = "/v1/programs/<program_id>/rewards-table"
"""The one route without a key."""


_TABLE: Final[tuple[tuple[str, str, str, Run], ...]] = (
    ("POST", "/programs", access.PROGRAMS, programs.create),
    ("GET", "/programs", access.READ, programs.page),
    ("GET", "/programs/<program_id>", access.READ, programs.show),
    ("PATCH", "/programs/<program_id>", access.PROGRAMS, programs.change),
    ("POST", "/programs/<program_id>/terms", access.PROGRAMS, programs.publish),
    ("GET", "/programs/<program_id>/terms", access.READ, programs.versions),
    ("GET", "/programs/<program_id>/terms/<version>", access.READ, programs.version),
    ("POST", "/programs/<program_id>/fx-rates", access.PROGRAMS, fx_rates.create),
    ("GET", "/programs/<program_id>/fx-rates", access.READ, fx_rates.page),
    ("POST", "/programs/<program_id>/customers", access.PROGRAMS, customers.create),
    (
        "DELETE",
        "/programs/<program_id>/customers/<customer_id>",
        access.PROGRAMS,
        customers.remove,
    ),
    ("GET", "/programs/<program_id>/rewards-table", access.READ, rewards_table.show),
    ("POST", "/programs/<program_id>/simulations", access.PROGRAMS, simulations.simulate),
    (
        "GET",
        "/programs/<program_id>/simulations/<job_id>",
        access.READ,
        simulations.show_simulation,
    ),
    (
        "GET",
        "/programs/<program_id>/simulations/<job_id>/partners",
        access.READ,
        simulations.page_of_partners,
    ),
    (
        "POST",
        "/programs/<program_id>/simulations/<job_id>/cancel",
        access.PROGRAMS,
        simulations.cancel_simulation,
    ),
    (
        "POST",
        "/programs/<program_id>/simulations/<job_id>/resume",
        access.PROGRAMS,
        simulations.resume_simulation,
    ),
    ("POST", "/programs/<program_id>/migrations", access.PROGRAMS, simulations.migrate),
    (
        "GET",
        "/programs/<program_id>/migrations/<job_id>",
        access.READ,
        simulations.show_migration,
    ),
    (
        "POST",
        "/programs/<program_id>/migrations/<job_id>/cancel",
        access.PROGRAMS,
        simulations.cancel_migration,
    ),
    (
        "POST",
        "/programs/<program_id>/migrations/<job_id>/resume",
        access.PROGRAMS,
        simulations.resume_migration,
    ),
    ("POST", "/partners", access.PARTNERS, partners.create),
    ("GET", "/partners", access.READ, partners.page),
    ("GET", "/partners/<partner_id>", access.READ, partners.show),
    ("PATCH", "/partners/<partner_id>", access.PARTNERS, partners.change),
    (
        "GET",
        "/partners/<partner_id>/programs/<program_id>/explanation",
        access.READ,
        partner_files.explanation,
    ),
    (
        "GET",
        "/partners/<partner_id>/programs/<program_id>/history",
        access.READ,
        partner_files.history,
    ),
    ("POST", "/enrolments", access.PARTNERS, partners.enrol_partner),
    ("POST", "/links", access.LINKS, links.create),
    ("GET", "/links", access.READ, links.page),
    ("GET", "/links/<code>", access.READ, links.show),
    ("PATCH", "/links/<code>", access.LINKS, links.change),
    ("DELETE", "/links/<code>", access.LINKS, links.retire),
    ("GET", "/links/<code>/qr.svg", access.READ, qr_codes.svg),
    ("GET", "/links/<code>/qr.png", access.READ, qr_codes.png),
    ("GET", "/metrics", access.READ, metrics.show),
    ("POST", "/sources", access.SOURCES, sources.create),
    ("GET", "/sources", access.READ, sources.page),
    ("GET", "/sources/<source_id>", access.READ, sources.show),
    ("PATCH", "/sources/<source_id>", access.SOURCES, sources.change),
    ("GET", "/referrals", access.READ, referrals.page),
    ("GET", "/referrals/<referral_id>", access.READ, referrals.show),
    ("POST", "/referrals/<referral_id>/review", access.REFERRALS, referrals.review),
    ("GET", "/referrals/<referral_id>/explanation", access.READ, referrals.explanation),
    ("GET", "/referrals/<referral_id>/history", access.READ, referrals.history),
    ("POST", "/referrals/<referral_id>/facts", access.REFERRALS, facts.create),
    ("GET", "/referrals/<referral_id>/proposals", access.READ, facts.proposals),
    (
        "POST",
        "/referrals/<referral_id>/proposals/<proposal_id>/approve",
        access.REFERRALS,
        facts.approve,
    ),
    ("GET", "/rewards", access.READ, rewards.rewards),
    ("POST", "/rewards/<reward_id>/fulfilment", access.REFERRALS, fulfilments.create),
    ("POST", "/adjustments", access.REFERRALS, adjustments.create),
    ("GET", "/adjustments", access.READ, adjustments.page),
    ("GET", "/adjustments/<adjustment_id>", access.READ, adjustments.show),
    (
        "POST",
        "/adjustments/<adjustment_id>/approve",
        access.REFERRALS,
        adjustments.approve,
    ),
    ("GET", "/movements", access.READ, rewards.movements),
    ("GET", "/balances", access.READ, rewards.balances),
    ("GET", "/deliveries", access.READ, deliveries.page),
    ("POST", "/deliveries/replay", access.SOURCES, deliveries.replay_page),
    ("POST", "/deliveries/<delivery_id>/replay", access.SOURCES, deliveries.replay),
    ("GET", "/events", access.READ, events.page),
    ("POST", "/events/redrive", access.SOURCES, events.redrive_page),
    ("POST", "/events/<event_id>/redrive", access.SOURCES, events.redrive),
    ("POST", "/keys", access.KEYS, api_keys.create),
    ("GET", "/keys", access.KEYS, api_keys.page),
    ("DELETE", "/keys/<key_id>", access.KEYS, api_keys.revoke),
    ("GET", "/keyrings/click", access.KEYS, click_keys.show),
    ("POST", "/keyrings/click/rotate", access.KEYS, click_keys.renew),
)

ROUTES: Final = tuple(
    Route(method=method, pattern=pattern, scope=scope, run=run)
    for method, pattern, scope, run in _TABLE
)
