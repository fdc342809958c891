"""The demo programme, made through the management API only."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from local.cloud import Cloud
from local.places import read_json, write_json
from local.senders import Address
from shared.adapters.management_api import ApiError, Management

PROGRAM_ID: Final = "prg_demo"
PARTNER_NAME: Final = "Ada Consulting"
LINK_CODE: Final = "demo"
TERMS_FILE: Final = Path(__file__).with_name("demo_terms.yaml")
LANDING_PATH: Final = "/_demo/landing"
THANKS_PATH: Final = "/_demo/thanks"
WEBHOOKS_PATH: Final = "/v1/webhooks/"
LANDING_HOST: Final = "127.0.0.1"

# Every known stage with its rank; entering a stage takes back the milestones of higher ranks.
STAGE_MAP: Final[tuple[dict[str, Any], ...]] = (
    {"stage": "accepted", "rank": 1, "milestone": "accepted", "outcome": "open"},
    {"stage": "qualified", "rank": 2, "milestone": "qualified", "outcome": "open"},
    {"stage": "negotiation", "rank": 3, "outcome": "open"},
    {"stage": "won", "rank": 4, "milestone": "won", "outcome": "won"},
    {"stage": "lost", "rank": 5, "outcome": "lost"},
)
SOURCE_KINDS: Final = ("hubspot", "standard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the demo programme consists of."""

    program_id: str
    partner_id: str
    link_code: str
    sources: dict[str, Address] = field(repr=False)


def seed(cloud: Cloud) -> Demo:
    """Return the demo programme, made now or at an earlier start, and write ``endpoints.json``.

    Raises:
        ApiError: the management API refused something.
    """
    before = read_json(cloud.places.endpoints)
    api = cloud.management
    if before.get("program_id") and exists(api, f"/programs/{before['program_id']}"):
        demo = from_endpoints(before, cloud.url)
        if before.get("short_url") != cloud.url:
            # The landing page moved to another port. The old link may be changed or retired.
            code = create_link(api, cloud.url, demo.program_id, demo.partner_id)
            demo = Demo(
                program_id=demo.program_id,
                partner_id=demo.partner_id,
                link_code=code,
                sources=demo.sources,
            )
    else:
        demo = create(api, cloud.url)
    write_json(cloud.places.endpoints, endpoints(cloud, demo))
    return demo


def exists(api: Management, path: str) -> bool:
    """Say whether a resource is there."""
    try:
        api.get(path)
    except ApiError:
        return False
    return True


def create(api: Management, url: str) -> Demo:
    """Make programme, terms, partner, enrolment, link and sources.

    Raises:
        ApiError: the management API refused something.
    """
    there = exists(api, f"/programs/{PROGRAM_ID}")
    program_id = PROGRAM_ID if there else create_program(api, url)
    partner_id = create_partner(api, PARTNER_NAME, "ada@partner.example")
    enrol(api, program_id, partner_id)
    return Demo(
        program_id=program_id,
        partner_id=partner_id,
        link_code=create_link(api, url, program_id, partner_id, LINK_CODE),
        sources={kind: create_source(api, url, program_id, kind) for kind in SOURCE_KINDS},
    )


def create_program(api: Management, url: str) -> str:
    """Make the programme and publish its terms."""
    program = api.post(
        "/programs",
        {
            "id": PROGRAM_ID,
            "name": "Demo programme",
            "currency": "USD",
            "time_zone": "Europe/Berlin",
            "enrolment": "open",
            "landing_hosts": [LANDING_HOST],
            "allowed_origins": [url],
            "thank_you_url": url + THANKS_PATH,
            "fallback_url": url + LANDING_PATH,
            "click_param": "click_id",
        },
    )
    program_id = str(program["id"])
    api.post(
        f"/programs/{program_id}/terms",
        TERMS_FILE.read_bytes(),
        content_type="application/yaml",
    )
    return program_id


def create_partner(api: Management, name: str, email: str) -> str:
    """Make a partner and return its id."""
    partner = api.post(
        "/partners", {"name": name, "email": email, "kind": "referral_partner", "country": "DE"}
    )
    return str(partner["id"])


def enrol(api: Management, program_id: str, partner_id: str) -> None:
    """Let a partner take part, with the newest terms accepted."""
    api.post(
        "/enrolments", {"partner_id": partner_id, "program_id": program_id, "accept_terms": True}
    )


def create_link(api: Management, url: str, program_id: str, partner_id: str, code: str = "") -> str:
    """Make a short link to the landing page and return its code.

    A code that is taken, by a start that broke off, gives way to a generated one.
    """
    link = {
        "partner_id": partner_id,
        "program_id": program_id,
        "destination": f"{url}{LANDING_PATH}?plan=team#form",
        "utm": {"utm_source": "partner", "utm_medium": "referral", "utm_campaign": "demo"},
        "campaign": "demo",
    }
    if code:
        try:
            return str(api.post("/links", {**link, "code": code})["code"])
        except ApiError as error:
            if error.reply.status != 409:  # noqa: PLR2004 - conflict
                raise
    return str(api.post("/links", link)["code"])


def create_source(api: Management, url: str, program_id: str, kind: str) -> Address:
    """Make a webhook source; its secret is shown this once."""
    source = api.post(
        "/sources",
        {
            "program_id": program_id,
            "kind": kind,
            "name": f"Demo {kind}",
            "default_currency": "USD",
            "stage_map": list(STAGE_MAP),
        },
    )
    source_id = str(source["id"])
    return Address(
        source_id=source_id,
        url=str(source.get("url") or url + WEBHOOKS_PATH + source_id),
        secret=str(source["secret"]),
    )


def from_endpoints(before: dict[str, Any], url: str) -> Demo:
    """Return the demo of an earlier start, its addresses moved to the port of this one."""
    return Demo(
        program_id=before["program_id"],
        partner_id=before["partner_id"],
        link_code=before["link_code"],
        sources={
            kind: Address(
                source_id=source["id"],
                url=url + WEBHOOKS_PATH + source["id"],
                secret=source["secret"],
            )
            for kind, source in before["sources"].items()
        },
    )


def endpoints(cloud: Cloud, demo: Demo) -> dict[str, Any]:
    """Return the documented content of ``endpoints.json``."""
    return {
        "api_url": cloud.url,
        "short_url": cloud.url,
        "console_url": f"{cloud.url}/_demo/",
        "portal_url": "",
        "admin_key": cloud.management.key,
        "program_id": demo.program_id,
        "partner_id": demo.partner_id,
        "link_code": demo.link_code,
        "sources": {
            kind: {"id": source.source_id, "url": source.url, "secret": source.secret}
            for kind, source in demo.sources.items()
        },
        "emulator_url": cloud.emulator.url,
        "stack_name": cloud.deployment.outputs.get("StackName", "goodword-local"),
    }
