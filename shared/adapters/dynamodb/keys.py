"""Every key of every table, and who reads it. No other file spells a key, but ``lean_keys`` two.

core
    PRG#<program>          META                      programme: manage, intake
                           TERMS#<version>           published terms: manage, intake, evaluation
                           CAP#<cap>#<period>        what is taken of a budget: evaluation
    FX#<program>#<cur>     <day>, WAIT#<referral>    rate, who waits for one: manage, evaluation
    CUSTOMER#<prog>#<id>   META                      who was a customer already: manage, intake
    PTR#<partner>          META                      partner: manage, intake, maturity
                           MOVE#<time>#<request>     who changed its status and why: manage
                           ENR#<program>             enrolment: manage, intake
                           STANDING#<program>        sums, how far they are settled: evaluation
                           REWARD#<program>#<rule>#<occ>#<who>   for successes: evaluation
                           TRACE#<program>#<rule>#<occ>          why
                           CAP#<program>#<cap>#<period>          what is taken of a cap
                           FULFIL#<reward>#<number>              what became of a benefit
    LINK#<code>            META                      link: redirect, intake, manage
                           OPEN#<referral>           referral without a deal: evaluation
                           WAIT#<delivery>#<deal>    waits for a referral: evaluation
    SRC#<source>           META                      webhook source: receiver, evaluation
    REF#<referral>         META                      referral: intake, evaluation, manage
                           FACT#<fact>               fact
                           REWARD#<rule>#<occ>#<who> reward as posted
                           TRACE#<rule>#<occ>        decision trace line
                           REPEAT#<digest>           repeated submission
                           PROPOSAL#<proposal>       waits for a second person: manage
                           FULFIL#<reward>#<number>  what became of a benefit: manage, evaluation
    LEAD#<program>#<hmac>  CLAIM                     who referred a lead: intake
                           WAIT#<delivery>#<deal>    waits for a referral: evaluation
    TOUCH#<click>          REF                       referral of a click: intake, evaluation
                           WAIT#<delivery>#<deal>    waits for a referral: evaluation
    DEAL#<source>#<deal>   BINDING                   referral of a deal: evaluation
                           PARKED#<delivery>         waits for the binding: evaluation
    DLV#<delivery>         META                      inbox row: receiver, evaluation, manage
    MSG#<source>#<id>      META                      sender's message id: receiver
    OUT#<event>            EVENT                     outgoing event: publisher, sweeper, evaluation
    BOOK#<holder>#<prog>   HEAD                      balances, chain head: evaluation, maturity
    KEY#<key>              META                      management key: manage
    IDEM#<digest>          META                      answered request: manage
    KEYRING#click|server   RING                      signing keys: redirect, intake, manage
    ACT#<program>          <day>#<campaign>#<asset>  clicks of a programme's day: roll-up, manage
    ACT#<program>#<partner>  <day>#<code>#<campaign>#<asset>  clicks of a link's day
                           cap#<code>#<time>         clicks under a cap: roll-up, manage
    ADJ#<adjustment>       META                      adjustment by hand: manage, evaluation
    JOB#<job>              META                      simulation or migration: manage, evaluation
                           CHUNK#<number>            referrals to be worked on together
                           RESULT#<number>#<run>#<part>  what came of a chunk
                           ITEM#<referral>           what a migration does to a referral
                           ITEM#~<partner>           or to a partner
                           PAGE#<run>#<number>       lines beside the report
                           REPORT                    what a simulation found
books
    BOOK#<holder>#<prog>   <natural key>             movement
vault
    PII#<subject>          PERSON                    names and addresses
    DLV#<delivery>         BODY, BODY#<part>         raw delivery          receiver, evaluation
clicks
    <end of the id>        <click id>                click: redirect; all of them: recount
"""

from typing import Final

from shared import names
from shared.adapters.dynamodb import lean_keys

Key = lean_keys.Key
META: Final = lean_keys.META
LIST_SHARDS: Final = 4
DUE_SHARDS: Final = 4

link: Final = lean_keys.link
click: Final = lean_keys.click
click_keyring: Final = lean_keys.click_keyring


def program(program_id: str) -> Key:
    """Locate a programme."""
    return f"PRG#{program_id}", META


def terms(program_id: str, version: int) -> Key:
    """Locate one version of a programme's terms."""
    return f"PRG#{program_id}", f"TERMS#{version:06d}"


def fx_rate(program_id: str, currency: str, day: str) -> Key:
    """Locate a programme's exchange rate of one day (ISO date)."""
    return f"FX#{program_id}#{currency}", day


def awaiting_rate(program_id: str, currency: str, referral_id: str = "") -> Key:
    """Locate the word of a referral that waits for a rate; without it, where all begin."""
    return f"FX#{program_id}#{currency}", f"WAIT#{referral_id}"


def customer(program_id: str, customer_id: str) -> Key:
    """Locate an entry of a programme's list of existing customers."""
    return f"CUSTOMER#{program_id}#{customer_id}", META


def partner(partner_id: str) -> Key:
    """Locate a partner."""
    return f"PTR#{partner_id}", META


def partner_move(partner_id: str, at: str, mark: str) -> Key:
    """Locate a change of a partner's status, by its time."""
    partition, prefix = partner_moves(partner_id)
    return partition, f"{prefix}{at}#{mark}"


def partner_moves(partner_id: str) -> Key:
    """Return the partition and the common beginning of the changes of a partner's status."""
    return f"PTR#{partner_id}", "MOVE#"


def enrolment(partner_id: str, program_id: str) -> Key:
    """Locate a partner's enrolment in a programme."""
    return f"PTR#{partner_id}", f"ENR#{program_id}"


def standing(partner_id: str, program_id: str) -> Key:
    """Locate what tiers count for a partner in a programme."""
    return f"PTR#{partner_id}", f"STANDING#{program_id}"


def open_referral(code: str, referral_id: str) -> Key:
    """Locate the marker of a referral that came by ``code`` and has no deal yet."""
    return f"{names.LINK_PREFIX}{code}", f"OPEN#{referral_id}"


def source(source_id: str) -> Key:
    """Locate a webhook source."""
    return f"SRC#{source_id}", META


def referral(referral_id: str) -> Key:
    """Locate a referral's head row."""
    return f"REF#{referral_id}", META


def fact(referral_id: str, fact_id: str) -> Key:
    """Locate one fact of a referral."""
    return f"REF#{referral_id}", f"FACT#{fact_id}"


def reward(referral_id: str, rule_id: str, occurrence: str, beneficiary: str) -> Key:
    """Locate one reward of a referral."""
    return f"REF#{referral_id}", f"REWARD#{rule_id}#{occurrence}#{beneficiary}"


def trace(referral_id: str, rule_id: str, occurrence: str) -> Key:
    """Locate one line of a referral's decision trace."""
    return f"REF#{referral_id}", f"TRACE#{rule_id}#{occurrence}"


def partner_reward(
    partner_id: str, program_id: str, rule_id: str, occurrence: str, beneficiary: str
) -> Key:
    """Locate a reward for a partner's successes in a programme."""
    return f"PTR#{partner_id}", f"REWARD#{program_id}#{rule_id}#{occurrence}#{beneficiary}"


def partner_trace(partner_id: str, program_id: str, rule_id: str, occurrence: str) -> Key:
    """Locate a trace line about a partner's successes in a programme."""
    return f"PTR#{partner_id}", f"TRACE#{program_id}#{rule_id}#{occurrence}"


def partner_cap(partner_id: str, program_id: str, cap_id: str, period: str) -> Key:
    """Locate how much of a partner's cap is taken."""
    return f"PTR#{partner_id}", f"CAP#{program_id}#{cap_id}#{period}"


def program_cap(program_id: str, cap_id: str, period: str) -> Key:
    """Locate how much of a programme's budget is taken."""
    return f"PRG#{program_id}", f"CAP#{cap_id}#{period}"


def repeat(referral_id: str, digest: str) -> Key:
    """Locate the record of a repeated submission."""
    return f"REF#{referral_id}", f"REPEAT#{digest}"


def proposal(referral_id: str, proposal_id: str) -> Key:
    """Locate a fact that waits for a second person."""
    return f"REF#{referral_id}", f"PROPOSAL#{proposal_id}"


def fulfilment(guard: Key, reward_id: str, number: int) -> Key:
    """Locate a report of what became of a reward, beside the row that guards the reward."""
    partition, prefix = fulfilments(guard, reward_id)
    return partition, f"{prefix}{number:06d}"


def fulfilments(guard: Key, reward_id: str = "") -> Key:
    """Return the partition and the common beginning of the reports on a reward, or on all."""
    return guard[0], f"FULFIL#{reward_id}#" if reward_id else "FULFIL#"


def lead_claim(program_id: str, email_hmac: str) -> Key:
    """Locate the claim of a lead in a programme."""
    return f"LEAD#{program_id}#{email_hmac}", "CLAIM"


def touch(click_id: str) -> Key:
    """Locate the referral that a click led to."""
    return f"TOUCH#{click_id}", "REF"


def deal_binding(source_id: str, deal_id: str) -> Key:
    """Locate the referral that a source's deal is bound to."""
    return f"DEAL#{source_id}#{deal_id}", "BINDING"


def parked_delivery(source_id: str, deal_id: str, delivery_id: str, *, names_referral: bool) -> Key:
    """Locate the marker of a delivery that waits for a deal; those that could bind it first."""
    group, marker = parked_deliveries(source_id, deal_id, names_referral=names_referral)
    return group, f"{marker}{delivery_id}"


def parked_deliveries(source_id: str, deal_id: str, *, names_referral: bool | None = None) -> Key:
    """Return the partition and the common beginning of the markers of a deal."""
    group = "" if names_referral is None else "0#" if names_referral else "1#"
    return f"DEAL#{source_id}#{deal_id}", f"PARKED#{group}"


def waiting_for(evidence: Key, delivery_id: str, deal_id: str) -> Key:
    """Locate what a delivery left beside a click's, lead's or link's row: that it waits."""
    partition, prefix = all_waiting_for(evidence)
    return partition, f"{prefix}{delivery_id}#{deal_id}"


def all_waiting_for(evidence: Key) -> Key:
    """Return the partition and the common beginning of all that wait for an evidence."""
    return evidence[0], "WAIT#"


def delivery(delivery_id: str) -> Key:
    """Locate a delivery's inbox row; the same key in the vault with ``BODY`` holds the bytes."""
    return f"{names.DELIVERY_PREFIX}{delivery_id}", META


def delivery_body(delivery_id: str, part: int = 0) -> Key:
    """Locate the raw bytes of a delivery, in the vault; large ones are kept in several parts."""
    return f"{names.DELIVERY_PREFIX}{delivery_id}", f"BODY#{part}" if part else "BODY"


def message(source_id: str, message_id: str) -> Key:
    """Locate the row that remembers a sender's own message id."""
    return f"MSG#{source_id}#{message_id}", META


def outgoing(event_id: str) -> Key:
    """Locate an outgoing event."""
    return f"{names.OUTBOX_PREFIX}{event_id}", "EVENT"


def book(holder_id: str, program_id: str) -> Key:
    """Locate a holder's balances and the head of the hash chain, in the core table."""
    return f"BOOK#{holder_id}#{program_id}", "HEAD"


def movement(holder_id: str, program_id: str, natural_key: str) -> Key:
    """Locate a movement, in the books table."""
    return f"BOOK#{holder_id}#{program_id}", natural_key


def api_key(key_id: str) -> Key:
    """Locate a management key."""
    return f"KEY#{key_id}", META


def answered_request(digest: str) -> Key:
    """Locate the stored answer of an idempotent request."""
    return f"IDEM#{digest}", META


def adjustment(adjustment_id: str) -> Key:
    """Locate an adjustment by hand."""
    return f"ADJ#{adjustment_id}", META


def job(job_id: str) -> Key:
    """Locate a simulation or a migration."""
    return f"JOB#{job_id}", META


def job_chunks(job_id: str) -> Key:
    """Return the partition and the common beginning of a job's chunks."""
    return f"JOB#{job_id}", "CHUNK#"


def job_chunk(job_id: str, number: int) -> Key:
    """Locate the referrals that one step of a job works on."""
    return f"JOB#{job_id}", f"CHUNK#{number:06d}"


def job_result(job_id: str, number: int, run_id: str, part: int) -> Key:
    """Locate a part of what one run made of a chunk."""
    return f"JOB#{job_id}", f"RESULT#{number:06d}#{run_id}#{part:06d}"


def all_job_results(job_id: str) -> Key:
    """Return the partition and the common beginning of what runs made of a job's chunks."""
    return f"JOB#{job_id}", "RESULT#"


def job_item(job_id: str, place: str) -> Key:
    """Locate what a migration does to a referral or a partner."""
    return f"JOB#{job_id}", f"ITEM#{place}"


def job_page(job_id: str, run_id: str, number: int) -> Key:
    """Locate lines that belong to what one run reported."""
    return f"JOB#{job_id}", f"PAGE#{run_id}#{number:06d}"


def job_report(job_id: str) -> Key:
    """Locate what a simulation found."""
    return f"JOB#{job_id}", "REPORT"


def activity(program_id: str, partner_id: str, day: str, *parts: str) -> Key:
    """Locate a day's counter: of a partner's link, or of the programme (no partner).

    ``parts`` are what the counter counts apart, such as a campaign.
    """
    return activity_partition(program_id, partner_id), "#".join((day, *map(_escaped, parts)))


def activity_partition(program_id: str, partner_id: str) -> str:
    """Return the partition of a partner's counters in a programme, or of the programme's own."""
    return names.ACTIVITY_PREFIX + "#".join(filter(None, (program_id, partner_id)))


def activity_parts(key: Key) -> list[str]:
    """Return the programme, the partner (or nothing), the day and the parts of a counter's key."""
    program_id, _, partner_id = key[0].removeprefix(names.ACTIVITY_PREFIX).partition("#")
    return [program_id, partner_id, *map(_unescaped, key[1].split("#"))]


def cap_tally(program_id: str, partner_id: str, code: str, since: str) -> Key:
    """Locate what is counted since a link has its cap; sorts behind the counters of all days."""
    return activity_partition(program_id, partner_id), f"cap#{code}#{since}"


def _escaped(part: str) -> str:
    # People name campaigns; the separator inside a name must not move what follows.
    return part.replace("%", "%25").replace("#", "%23")


def _unescaped(part: str) -> str:
    return part.replace("%23", "#").replace("%25", "%")


def server_keyring() -> Key:
    """Locate the keys for look-ups, receipts and cursors."""
    return names.SERVER_KEYRING, "RING"


def person(subject_id: str) -> Key:
    """Locate the personal data of a lead or partner, in the vault."""
    return f"PII#{subject_id}", "PERSON"


def _shard(text: str, shards: int) -> int:
    # Ids end in random symbols, so the last character spreads evenly.
    return ord(text[-1]) % shards


def in_list(kind: str, scope: str, sort_key: str, spread_by: str) -> dict[str, str]:
    """Return the index attributes that put a row into the list ``kind`` of ``scope``."""
    shard = _shard(spread_by, LIST_SHARDS)
    return {names.LIST_PK: f"{kind}#{scope}#{shard}", names.LIST_SK: sort_key}


def list_partitions(kind: str, scope: str) -> list[str]:
    """Return the index partitions that together hold the list ``kind`` of ``scope``."""
    return [f"{kind}#{scope}#{shard}" for shard in range(LIST_SHARDS)]


def of_partner(kind: str, partner_id: str, sort_key: str) -> dict[str, str]:
    """Return the index attributes that put a row into a partner's list ``kind``."""
    return {names.PARTNER_PK: f"{kind}#{partner_id}", names.PARTNER_SK: sort_key}


def due(kind: str, when: str, spread_by: str) -> dict[str, str]:
    """Return the index attributes of due work; ``when`` is an ISO time, UTC."""
    shard = _shard(spread_by, DUE_SHARDS)
    return {names.DUE_PK: f"{kind}#{shard}", names.DUE_SK: f"{when}#{spread_by}"}


def due_partitions(kind: str) -> list[str]:
    """Return the index partitions that together hold the due work ``kind``."""
    return [f"{kind}#{shard}" for shard in range(DUE_SHARDS)]


DUE_OUTBOX: Final = "UNSENT"
DUE_RELEASE: Final = "RELEASE"
