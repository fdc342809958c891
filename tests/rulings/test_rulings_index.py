"""Where each ruling on facts and money is held: ruling -> test.

A line names one test, by file below ``tests/`` and name; ``-`` at its beginning says that the
product does not do this yet. The test at the end looks every name up.

Facts, stages, attribution

* A fact's id is a hash of what it states, with no arrival data
  rulings/test_rulings_facts.py::test_the_id_of_a_fact_is_what_it_states_and_not_how_it_arrived
  usecases/test_apply_delivery.py::test_a_retry_with_another_attempt_number_adds_nothing
* No time by the sender: the receipt stands in, marked approximate
  usecases/test_apply_delivery.py::test_without_a_time_the_first_receipt_stands_in_and_repeats_are_the_same
* Upcasters by schema version; facts of a later version wait
  adapters/test_fact_versions.py::test_golden_facts_decide_what_they_decided
  adapters/test_fact_versions.py::test_older_facts_are_lifted_step_by_step
  functions/evaluate_reward/test_evaluate_reward_handler.py::test_a_fact_of_a_later_release_leaves_the_message_in_the_queue
* A fact is undone by a fact that names it
  domain/test_evaluation.py::test_retracted_fact_never_happened
  functions/manage_program/test_manage_facts.py::test_a_fact_is_taken_back_once
  functions/manage_program/test_manage_second_person.py::test_what_nothing_newer_can_unsay_takes_two
* At most 1,000 facts per referral
  usecases/test_apply_delivery.py::test_a_referral_holds_only_so_many_facts
  functions/manage_program/test_manage_facts.py::test_a_referral_takes_so_many_facts_and_no_more
* An unknown stage is parked, and applied once the map knows it
  usecases/test_apply_delivery.py::test_a_bad_part_is_parked_and_the_rest_applied
  usecases/test_apply_delivery.py::test_a_replay_after_the_map_was_mended_applies_the_rest
* Entering a rank takes back milestones of higher rank
  rulings/test_rulings_facts.py::test_entering_a_rank_takes_back_what_ranks_higher_and_nothing_else
* Lost takes back what the terms mark, by default won and later
  rulings/test_rulings_facts.py::test_lost_takes_back_won_and_what_ranks_above_it_by_default
  domain/test_evaluation.py::test_terms_may_name_what_lost_takes_back
* An implied milestone is latched at the time of the one that implies it, and has its own rank
  rulings/test_rulings_facts.py::test_an_implied_milestone_is_reached_when_the_one_that_implies_it_is
  rulings/test_rulings_facts.py::test_a_regress_takes_an_implied_milestone_by_its_own_rank_only
* The skipped path and the full path agree, also after a regress
  domain/test_evaluation_order.py::test_skipped_stages_pay_like_the_full_path
  domain/test_evaluation_order.py::test_skipped_stages_regress_like_the_full_path
* A milestone from before the referral earns nothing; terms may widen, the touch counts
  domain/test_evaluation.py::test_milestone_before_the_referral_earns_nothing
  domain/test_evaluation.py::test_verified_touch_moves_the_beginning
  domain/test_evaluation.py::test_prior_days_widen_the_beginning
  usecases/test_late_bound_rewards.py::test_a_late_bound_deal_that_was_won_before_the_introduction_earns_nothing
* Terms, overrides and attributes are pinned at submission; later edits never price again
  domain/test_pinning.py::test_attributes_of_lead_partner_enrolment_and_link
  usecases/test_submit_referral.py::test_the_window_is_that_of_the_version_the_partner_accepted
  rulings/test_rulings_facts.py::test_a_newer_version_of_the_terms_never_prices_again_what_is_pinned
* A grade changes only by a regrade
  rulings/test_rulings_facts.py::test_a_grade_changes_only_by_a_regrade
* Order does not matter within a referral, given what is pinned
  properties/test_evaluation_total.py::test_any_order_and_any_repetition_decide_the_same
  domain/test_evaluation_order.py::test_every_permutation_and_repetition_decides_the_same
* Across referrals caps follow the order of commits, and limits are never exceeded
  usecases/test_settle_partner.py::test_partner_cap_cuts_in_the_order_of_commits_and_frees_room
  properties/test_model.py::test_any_history_keeps_the_books_whole_and_ends_with_what_the_terms_say
* The credit window looks at event time; late receipt is denied after the grace
  rulings/test_rulings_facts.py::test_the_credit_window_looks_at_event_time_and_the_grace_at_receipt
* The attribution window looks at our time
  domain/test_attribution.py::test_the_window_ends_after_its_last_moment
* Times from the future are clamped to the receipt (beyond ten minutes, see docs/decisions.md)
  usecases/test_apply_delivery.py::test_a_time_far_ahead_is_replaced_by_the_receipt
* The protection window looks at our time, and at the version that the holder accepted
  usecases/test_take_over_lead.py::test_a_lead_is_protected_to_the_last_moment
  usecases/test_take_over_lead.py::test_the_days_are_those_that_the_holder_accepted
* Order of evidence, first or last touch, and splits follow the newest terms
  usecases/test_submit_referral_order.py::test_the_order_of_the_terms_decides
  usecases/test_submit_referral_order.py::test_the_model_chooses_among_touches_of_one_kind
  usecases/test_submit_referral_order.py::test_equal_parts_for_everybody_with_valid_evidence
  domain/test_attribution.py::test_parts_by_role
* The beneficiary is who was bound at submission, whatever comes later
  usecases/test_submit_referral_order.py::test_only_the_first_form_decides_who_introduced
* While the review is open rewards are held, accept releases, all other ends make them zero
  rulings/test_rulings_facts.py::test_while_the_review_is_open_rewards_are_held
  rulings/test_rulings_facts.py::test_a_review_that_closes_makes_everything_zero
  usecases/test_post_rewards.py::test_closed_review_takes_everything_back
* Every redirect carries the code beside the click; links switch it off
  domain/test_links.py::test_the_token_and_the_code_ride_along
  domain/test_links.py::test_the_switches_of_a_link_are_obeyed
* Codes are ten symbols in either case; retired codes lead nowhere
  domain/test_links.py::test_a_new_code_is_ten_symbols_of_the_random_bytes
  domain/test_links.py::test_a_code_is_read_in_either_case
  functions/manage_program/test_manage_link_changes.py::test_a_retired_code_is_never_given_to_anybody_again
  usecases/test_submit_referral.py::test_a_tombstone_of_a_retired_code_leads_nowhere
* Public answers reveal nobody: repeats and spam look alike, the receipt says received
  functions/test_submit_referral_handler.py::test_a_repeat_and_spam_look_like_the_first_answer
  functions/test_submit_referral_handler.py::test_a_receipt_shows_only_that_and_when
- Confirmation by mail, after which a receipt shows more

Money

* An account is stage and kind and currency in a holder's book; each step has its two
  domain/test_books.py::test_each_step_has_its_two_accounts
* A negative balance nets only inside its own kind and currency
  rulings/test_rulings_money.py::test_a_negative_balance_stays_inside_its_own_kind
- Batches of payouts, clearing and paid: no payout exists yet
* Money is whole minor units with a bound; amounts come as decimal strings
  domain/test_money.py::test_amounts_are_bounded
  domain/test_money.py::test_anything_else_is_no_amount
  domain/test_money.py::test_every_currency_of_iso_4217_that_has_minor_units_is_known_by_its_exponent
  architecture/test_no_floats.py::test_money_never_meets_a_float
  rulings/test_rulings_money.py::test_an_amount_over_the_bound_is_refused_and_never_posted
* A row of the books is keyed by holder, programme and natural key, and has both dates
  rulings/test_rulings_money.py::test_a_row_of_the_books_is_keyed_by_holder_and_natural_key_and_dated_twice
* Head, sequence and balances move in the same transaction
  rulings/test_rulings_money.py::test_the_head_of_the_book_moves_in_the_transaction_that_appends_to_it
* Append-only: by grants, by condition, and the chain finds the rest
  infra/test_grants.py::test_nobody_changes_or_removes_a_row_of_the_books
  infra/test_grants.py::test_the_books_grow_inside_transactions_only
  rulings/test_rulings_money.py::test_the_books_are_only_added_to_and_only_under_new_keys
  domain/test_books.py::test_any_changed_row_is_found
* A reader of the books' stream alarms on changed or removed rows; at most two readers per stream
  functions/watch_books/test_watch_books_handler.py::test_a_changed_and_a_removed_row_are_told_and_counted
  functions/watch_books/test_watch_books_handler.py::test_new_rows_are_silent
  infra/test_events.py::test_the_watcher_gets_what_is_no_new_row_of_the_books
  infra/test_events.py::test_production_alarms_on_the_first_of_what_must_not_happen
  infra/test_events.py::test_no_stream_has_more_readers_than_it_serves
* An effect is one rule and occurrence with all its beneficiaries, in one transaction
  rulings/test_rulings_money.py::test_an_effect_with_all_its_beneficiaries_is_one_transaction
* Restartable at any point
  faults/test_post_rewards_faults.py::test_fault_at_every_call_then_redelivery
* A lost race: reload and judge anew, five tries, then back to the queue
  rulings/test_rulings_money.py::test_a_lost_race_is_loaded_and_judged_anew_five_times_and_then_left_to_the_queue
* At most one row per sequence; the net of the rows equals the entitlement
  properties/test_model.py::test_any_history_keeps_the_books_whole_and_ends_with_what_the_terms_say
  usecases/test_post_rewards.py::test_nothing_is_posted_twice
* Counted bonuses are judged in the partner's file
  usecases/test_settle_partner.py::test_partner_level_rules_say_so_on_every_referral
* at_counts is held while the count lasts and regained with a new hold; every_nth loses its newest
  usecases/test_settle_partner.py::test_achievements_are_held_while_the_count_lasts_and_regained_with_a_new_hold
  usecases/test_settle_partner.py::test_every_nth_success_pays_and_the_newest_is_taken_back
* Retroactive tiers are one true-up per period and never post a referral again
  rulings/test_rulings_money.py::test_a_retroactive_tier_never_posts_its_referrals_again
  usecases/test_settle_partner.py::test_retroactive_tier_by_revenue_counts_within_its_period
  rulings/test_rulings_money.py::test_an_override_stands_instead_of_the_steps_of_a_retroactive_tier
* Prospective tier: the rate is pinned; a refund lowers only future counts
  rulings/test_rulings_money.py::test_a_refund_lowers_future_counts_and_no_rate_that_is_pinned
  rulings/test_rulings_money.py::test_tiers_of_leads_whom_nobody_introduced_stay_at_the_rules_own_value
* A re-win keeps its position
  usecases/test_post_rewards.py::test_rewin_keeps_its_position
* Marginal tiers: one by one they are prospective; by revenue they are refused
  domain/test_terms.py::test_marginal_and_cliff_are_words_for_how_a_tier_by_count_pays
  domain/test_terms.py::test_a_marginal_tier_by_revenue_is_refused
* Only programmes that declare a budget pay for the shared item
  rulings/test_rulings_money.py::test_programmes_without_a_budget_pay_for_no_shared_item
  usecases/test_settle_partner.py::test_budget_denies_what_does_not_fit_whole
* Allowances are pinned; what was cut is never topped up; freed room serves later first counts
  usecases/test_settle_partner.py::test_lower_amount_frees_room_and_a_higher_one_takes_it_again_until_it_is_cut
  usecases/test_settle_partner.py::test_partner_cap_cuts_in_the_order_of_commits_and_frees_room
* Caps and budgets cover bonuses by count and true-ups, and are never exceeded
  usecases/test_partner_limits.py::test_bonuses_by_count_are_cut_where_the_partners_limit_is_reached
  usecases/test_partner_limits.py::test_a_true_up_follows_its_amount_until_it_is_cut_and_then_only_shrinks
  usecases/test_partner_limits.py::test_partners_limits_come_before_budgets
  faults/test_settle_faults.py::test_who_comes_first_to_the_last_room_decides_and_there_is_no_third_end
* Order: value, tier, reward and referral cap, split, partner cap, budget
  rulings/test_rulings_money.py::test_each_step_of_the_way_to_an_amount_is_taken_in_its_order
* One rounding; what is left over goes by role, then partner
  rulings/test_rulings_money.py::test_the_cent_that_is_left_over_goes_to_the_introducer
  domain/test_money.py::test_splits_conserve_and_stay_within_one_unit
* After maturity an increase is a new lot with its own hold
  usecases/test_post_rewards.py::test_increase_after_maturity_is_a_lot_with_its_own_hold
* A decrease takes the newest pending lots, then payable, never clearing
  usecases/test_post_rewards.py::test_decrease_takes_pending_lots_before_payable
  domain/test_rewards.py::test_clearing_and_paid_are_never_touched
* A refund of an invoice lowers that invoice only; one of the deal spreads, never below zero
  properties/test_refunds.py::test_refunds_of_a_deal_and_of_invoices_leave_of_each_what_is_left
  properties/test_refunds.py::test_what_is_taken_of_invoices_is_what_was_refunded_of_the_deal
* Deal amounts are gross; sources may declare theirs to be net
  properties/test_net_amounts.py::test_told_gross_and_told_net_is_the_same_deal
  properties/test_net_amounts.py::test_what_is_left_of_a_net_deal_is_what_arithmetic_says
  usecases/test_net_sources.py::test_only_amounts_say_net_and_facts_keep_their_ids
* Conditions see the latest gross amount; a lower one takes back
  domain/test_engine.py::test_conditions_see_the_gross_amount_never_net_of_refunds
  rulings/test_rulings_money.py::test_a_lower_amount_takes_back_what_a_condition_had_granted
* Un-win after maturity claws back all, fixed too; a re-win waits again
  usecases/test_post_rewards.py::test_unwin_after_maturity_claws_back_and_rewin_waits_again
  rulings/test_rulings_money.py::test_leaving_won_claws_back_what_is_fixed_too_whatever_the_refund_policy
* What was handed over stays
  functions/manage_program/test_manage_fulfilment.py::test_what_was_handed_over_stays_when_the_deal_is_lost
* Clawbacks are unlimited, or limited to days after the release
  domain/test_clawback.py::test_a_refund_takes_back_until_the_limit
  domain/test_clawback.py::test_what_is_pending_is_always_taken_back
  domain/test_clawback.py::test_every_order_decides_the_same
  usecases/test_clawback_limit.py::test_every_order_of_processing_ends_with_the_same_money
* Percent: a full refund nets to zero; fixed: by policy; never more than was earned
  properties/test_refunds.py::test_whole_refund_in_any_number_of_parts_leaves_nothing
  properties/test_refunds.py::test_fixed_rewards_do_what_their_policy_says
  rulings/test_rulings_money.py::test_what_is_taken_back_never_exceeds_what_was_earned
* Retained: the clock starts again at our receipt of each entry, leaving cancels
  rulings/test_rulings_money.py::test_a_retained_milestone_counts_from_our_receipt_and_leaving_cancels
  domain/test_engine.py::test_retained_milestones_start_again_with_every_entry
* Rates: the fact's own, else the programme's at the time, else held; pinned and used again
  domain/test_engine.py::test_the_facts_own_rate_comes_first
  usecases/test_settle_partner.py::test_programme_rate_is_pinned_and_later_rates_change_nothing
  domain/test_evaluation.py::test_other_currency_is_held_never_guessed
  rulings/test_rulings_money.py::test_a_refund_is_converted_at_the_rate_of_its_sale
* A sender's own rate holds for later amounts and refunds of its subject, in every order
  usecases/test_own_rates.py::test_a_deals_own_rate_holds_for_its_later_amounts_and_refunds_in_every_order
  usecases/test_own_rates.py::test_an_invoices_own_rate_is_of_that_invoice_in_every_order
* Merge of two that earned: the first accepted keeps all facts, the other one what is its own
  usecases/test_merge_deals.py::test_of_two_that_earned_the_first_accepted_keeps_the_deal_with_all_facts
  usecases/test_merge_deals.py::test_who_keeps_the_deal
  usecases/test_merge_deals.py::test_every_order_of_bindings_statements_and_the_merge_ends_alike
* A deal has one claim, its binding, which guards every milestone (see docs/decisions.md)
  faults/test_merge_faults.py::test_two_referrals_that_claim_one_deal_at_the_same_time_do_not_both_earn
  faults/test_merge_faults.py::test_a_merge_at_any_call_of_a_posting_leaves_one_that_earns
  faults/test_merge_faults.py::test_whatever_happens_at_any_call_of_a_merge_one_alone_earns
* Existing customers earn only where the terms say so
  domain/test_engine.py::test_existing_customers_earn_only_where_the_terms_say_so
* Who was a customer is looked up at submission and pinned, never told by a form
  usecases/test_submit_referral_customers.py::test_addresses_and_companies_on_the_list
  usecases/test_submit_referral_customers.py::test_a_form_can_not_say_so_itself
* A lead has one referral in a programme, and one reward even if it passes on
  usecases/test_submit_referral_repeats.py::test_a_repeat_gets_the_same_referral_and_stores_nothing_but_its_evidence
  faults/test_submit_referral_faults.py::test_two_partners_take_a_lead_over_and_one_of_them_gets_it
  usecases/test_take_over_lead.py::test_a_lead_that_keeps_a_reward_gets_no_second_one
* Shares change by an audited fact, for what counts after it; retroactively by two persons
  domain/test_engine.py::test_new_shares_count_for_what_counts_afterwards
  functions/manage_program/test_manage_proposals.py::test_retroactive_shares_wait_for_a_second_person
  functions/manage_program/test_manage_proposals.py::test_nobody_approves_their_own
  domain/test_first_heard.py::test_an_earlier_date_told_later_moves_no_share
  functions/manage_program/test_manage_second_person.py::test_one_person_moves_nothing_by_taking_back_and_stating_anew
* Referrals of a paused or closed programme keep earning
  rulings/test_rulings_money.py::test_referrals_keep_earning_when_their_programme_does_not_run
* A suspended partner's rewards are held, and nobody else's; they mature within the hour after
  usecases/test_mature_rewards.py::test_nothing_of_a_suspended_partner_matures_and_it_is_looked_at_again
  usecases/test_mature_rewards.py::test_only_the_part_of_the_suspended_partner_waits
  usecases/test_mature_rewards.py::test_an_active_partner_is_paid_within_the_hour
  faults/test_mature_faults.py::test_nothing_matures_once_the_suspension_is_stored
  functions/manage_program/test_manage_suspended.py::test_rewards_are_shown_as_held_while_their_holder_is_suspended
* What is pending for a closed partner matures, unless the terms forfeit it
  usecases/test_mature_rewards.py::test_what_is_pending_for_a_closed_partner_matures
  usecases/test_mature_rewards.py::test_what_is_forfeit_is_stated_and_then_taken_back_with_its_reason
  usecases/test_mature_rewards.py::test_no_raise_and_no_rewin_brings_it_back
  usecases/test_mature_rewards.py::test_pending_bonuses_of_a_closed_partner_are_taken_back
* Migration to other terms previews, keeps what is unchanged, and lowers nothing by default
  functions/manage_program/test_manage_migrations.py::test_preview_tells_each_difference_and_changes_nothing
  functions/manage_program/test_manage_migrations.py::test_migration_posts_the_difference_that_the_preview_told
  functions/manage_program/test_manage_migrations.py::test_unchanged_amounts_keep_lots_and_holds
  usecases/test_migrate_partners.py::test_bonuses_follow_and_what_was_accepted_stays_on_record
  usecases/test_migrate_partners.py::test_who_would_lose_bonuses_keeps_what_judges_them
  usecases/test_migrate_partners.py::test_a_referral_that_a_bonus_counts_does_not_leave_by_default
* The state of a reward is derived from its amounts
  domain/test_rewards.py::test_state_is_derived_from_the_amounts
* The time zone is frozen with the first terms; periods are half-open in it
  functions/manage_program/test_manage_programs.py::test_currency_and_time_zone_freeze_with_the_first_terms
  rulings/test_rulings_money.py::test_periods_are_half_open_and_in_the_programmes_own_time_zone
* Nothing posts into a closed month: within a book postings never go back
  domain/test_books.py::test_a_month_that_has_a_later_row_is_closed
  domain/test_books.py::test_a_row_that_was_posted_into_the_past_breaks_the_chain
  usecases/test_closed_months.py::test_a_slow_writer_that_is_overtaken_looks_at_the_book_again
"""

from __future__ import annotations

import ast
from functools import cache
from itertools import pairwise
from pathlib import Path

TESTS = Path(__file__).parents[1]


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def places() -> list[tuple[str, str]]:
    lines = [line.strip() for line in (__doc__ or "").splitlines()]
    return [(file, name) for file, mark, name in (row.partition("::") for row in lines) if mark]


def missing(file: str, name: str) -> bool:
    return not (TESTS / file).is_file() or name not in names_in(file)


def test_every_ruling_that_is_held_points_to_a_test_that_is_there() -> None:
    found = places()
    assert len(found) > 80
    assert [] == [place for place in found if missing(*place)]


def test_every_ruling_is_followed_by_its_tests() -> None:
    lines = [line for line in (__doc__ or "").splitlines() if line.strip()]
    for line, follower in pairwise(lines):
        if line.startswith("* "):
            assert follower.startswith("  "), line


def test_every_test_of_a_ruling_is_in_the_table() -> None:
    listed = set(places())
    for file in ("rulings/test_rulings_facts.py", "rulings/test_rulings_money.py"):
        names = {name for name in names_in(file) if name.startswith("test_")}
        # What only refuses terms is a rule of the format, not a ruling.
        names.discard("test_an_invoice_based_value_needs_an_invoice_in_tables_too")
        assert set() == {name for name in names if (file, name) not in listed}
