from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.click_tokens import ClickToken, Keyring, SigningKey, issue
from shared.domain.clicks import Click, Visit
from shared.domain.errors import NotFoundError, UnavailableError
from shared.domain.links import Link
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
