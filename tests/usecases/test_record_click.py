from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.click_tokens import ClickToken, Keyring, SigningKey, issue
from shared.domain.clicks import Click, Visit
from shared.domain.errors import NotFoundError, UnavailableError
from shared.domain.links import GPC, GPC_AND_DNT, NO_SIGNALS, Link
from shared.usecases.record_click import ClickStore, record_click

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RING = Keyring(keys=(SigningKey(key_id="k1", secret=b"s" * 32, created_at=NOW),))
TOKEN = issue(
    ClickToken(
        click_id="clk_1",
        code="spring",
        partner_id="ptr_1",
        program_id="prg_1",
        clicked_at=NOW,
    ),
    RING,
)


def a_link(**changes: Any) -> Link:  # noqa: ANN401 - any of its fields
    values: dict[str, Any] = {
        "code": "spring",
        "program_id": "prg_1",
        "partner_id": "ptr_1",
        "destination": "https://shop.example/",
        "created_at": NOW,
    }
    return Link(**values | changes)


def a_visit(**changes: Any) -> Visit:  # noqa: ANN401 - any of its fields
    values: dict[str, Any] = {"code": "spring", "headers": {"user-agent": "Firefox"}}
    return Visit(**values | changes)


@dataclass
class FakeStore:
    """Holds one link; a part that is named in ``down`` does not answer."""

    link: Link | None = field(default_factory=a_link)
    keyring: Keyring | None = RING
    down: tuple[str, ...] = ()
    clicks: list[Click] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    remembered: Link | None = None

    def recall_link(self, code: str) -> Link | None:
        known = self.remembered
        return known if known and known.code == code else None

    def find_link(self, code: str) -> Link | None:
        self.asked.append(code)
        self._check("link")
        return self.link if self.link and self.link.code == code else None

    def find_keyring(self) -> Keyring | None:
        self._check("keyring")
        return self.keyring

    def save_click(self, click: Click) -> None:
        self._check("click")
        self.clicks.append(click)

    def _check(self, part: str) -> None:
        if part in self.down:
            raise UnavailableError(part)


def run(store: FakeStore, visit: Visit | None = None) -> tuple[str, tuple[str, ...]]:
    result = record_click(
        visit or a_visit(),
        ClickStore(
            find_link=store.find_link,
            recall_link=store.recall_link,
            find_keyring=store.find_keyring,
            save_click=store.save_click,
        ),
        now=NOW,
        new_id=lambda prefix: f"{prefix}_1",
    )
    return result.location, tuple(str(failure) for failure in result.failures)


def test_a_visit_is_sent_on_with_a_token_and_leaves_a_click() -> None:
    store = FakeStore()

    result = run(store, a_visit(code="SPRING", query="utm_source=news&gclid=1"))

    assert (
        f"https://shop.example/?utm_source=news&gclid=1&click_id={TOKEN}&via=spring",
        (),
    ) == result
    assert [
        Click(
            click_id="clk_1",
            code="spring",
            program_id="prg_1",
            partner_id="ptr_1",
            clicked_at=NOW,
            utm={"utm_source": "news"},
            user_agent="Firefox",
        )
    ] == store.clicks


def test_a_click_remembers_the_links_labels_and_a_mark_instead_of_the_address() -> None:
    store = FakeStore(link=a_link(campaign="x" * 100, asset="banner"))

    run(store, a_visit(query="utm_campaign=made-up", address="198.51.100.7"))

    (click,) = store.clicks
    assert ("x" * 48, "banner") == (click.campaign, click.asset)
    assert 12 == len(click.visitor)
    assert "198.51" not in repr(click)


def test_without_keys_a_click_is_stored_without_a_mark() -> None:
    for store in (FakeStore(keyring=None), FakeStore(down=("keyring",))):
        run(store, a_visit(address="198.51.100.7"))

        assert [""] == [click.visitor for click in store.clicks]


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "HEAD"},
        {"headers": {}},
        {"headers": {"user-agent": "Firefox", "sec-purpose": "prefetch"}},
        {"headers": {"user-agent": "Googlebot/2.1"}},
    ],
)
def test_a_program_is_sent_on_without_a_token_and_leaves_nothing(changes: dict[str, Any]) -> None:
    store = FakeStore(down=("keyring", "click"))

    assert ("https://shop.example/?via=spring", ()) == run(store, a_visit(**changes))
    assert [] == store.clicks


@pytest.mark.parametrize(
    "store",
    [
        FakeStore(link=None),
        FakeStore(link=a_link(disabled=True)),
        FakeStore(link=a_link(expires_at=NOW)),
        FakeStore(link=a_link(expires_at=NOW - timedelta(days=1))),
    ],
    ids=["unknown", "disabled", "expiring now", "expired"],
)
def test_a_link_that_is_not_live_is_not_found(store: FakeStore) -> None:
    with pytest.raises(NotFoundError):
        run(store)
    assert [] == store.clicks


@pytest.mark.parametrize("code", ["", "a", "favicon.ico", "a/b", "x" * 41, "é" * 5, "spring\r\n"])
def test_what_is_no_code_never_reaches_the_store(code: str) -> None:
    store = FakeStore()

    with pytest.raises(NotFoundError):
        run(store, a_visit(code=code))
    assert [] == store.asked


def test_a_click_that_can_not_be_stored_still_carries_its_token() -> None:
    store = FakeStore(down=("click",))

    assert (f"https://shop.example/?click_id={TOKEN}&via=spring", ("click",)) == run(store)


def test_without_the_keys_the_code_attributes() -> None:
    store = FakeStore(down=("keyring",))

    assert ("https://shop.example/?via=spring", ("keyring",)) == run(store)
    assert ["clk_1"] == [click.click_id for click in store.clicks]


def test_before_there_are_keys_the_code_attributes() -> None:
    store = FakeStore(keyring=None)

    assert ("https://shop.example/?via=spring", ()) == run(store)
    assert ["clk_1"] == [click.click_id for click in store.clicks]


def test_with_everything_down_but_the_link_the_visitor_goes_on() -> None:
    store = FakeStore(down=("keyring", "click"))

    assert ("https://shop.example/?via=spring", ("keyring", "click")) == run(store)


def test_when_nobody_knows_the_link_the_outage_is_reported() -> None:
    with pytest.raises(UnavailableError, match="link"):
        run(FakeStore(down=("link",)))


FALLBACK = "https://shop.example/later"


def test_in_an_outage_a_link_that_was_known_leads_to_its_programmes_fallback() -> None:
    store = FakeStore(down=("link",), remembered=a_link(fallback_url=FALLBACK))

    assert (FALLBACK, ("link",)) == run(store, a_visit(code="SPRING", query="a=1"))
    assert [] == store.clicks


@pytest.mark.parametrize(
    "remembered",
    [
        a_link(),
        a_link(code="other", fallback_url=FALLBACK),
        a_link(fallback_url=FALLBACK, disabled=True),
        a_link(fallback_url=FALLBACK, cap_reached=True),
        a_link(fallback_url=FALLBACK, expires_at=NOW),
    ],
    ids=["no fallback", "another link", "disabled", "cap reached", "expired"],
)
def test_without_a_fallback_the_outage_is_reported(remembered: Link) -> None:
    with pytest.raises(UnavailableError, match="link"):
        run(FakeStore(down=("link",), remembered=remembered))


def private_parts(store: FakeStore) -> tuple[str, str, dict[str, str]]:
    (click,) = store.clicks
    return click.visitor, click.user_agent, dict(click.ad_ids)


@pytest.mark.parametrize(
    ("honoured", "sent", "is_private"),
    [
        (GPC, {"sec-gpc": "1"}, True),
        (GPC, {"dnt": "1"}, False),
        (GPC, {"sec-gpc": "0"}, False),
        (GPC, {}, False),
        (GPC_AND_DNT, {"sec-gpc": "1"}, True),
        (GPC_AND_DNT, {"dnt": "1"}, True),
        (GPC_AND_DNT, {"dnt": "0"}, False),
        (NO_SIGNALS, {"sec-gpc": "1", "dnt": "1"}, False),
    ],
)
def test_who_asks_for_privacy_leaves_a_click_that_tells_nothing_of_them(
    honoured: str,
    sent: dict[str, str],
    is_private: bool,  # noqa: FBT001 - a column of the table
) -> None:
    store = FakeStore(link=a_link(privacy_signals=honoured, keeps_ad_ids=True))
    headers = {"user-agent": "Firefox", **sent}

    location, _ = run(
        store, a_visit(headers=headers, address="198.51.100.7", query="gclid=g1&utm_source=x")
    )

    found = private_parts(store)
    assert (("", "", {}) == found) == is_private
    assert is_private or {"gclid": "g1"} == found[2]
    # The partner is credited all the same, and the advertiser's own page gets what was sent.
    assert f"click_id={TOKEN}" in location
    assert "gclid=g1" in location
    assert {"utm_source": "x"} == store.clicks[0].utm


def test_ad_ids_are_only_kept_if_the_programme_wants_them() -> None:
    for keeps, expected in ((False, {}), (True, {"gclid": "g1"})):
        store = FakeStore(link=a_link(keeps_ad_ids=keeps))

        location, _ = run(store, a_visit(query="gclid=g1"))

        assert expected == store.clicks[0].ad_ids
        assert "gclid=g1" in location
