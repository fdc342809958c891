"""What the rivals share with the redirect: its rules, so that only client and framework differ."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from functions.track_click import answers
from functions.track_click.cache import Cache
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.keyring_rows import keyring_from
from shared.adapters.dynamodb.link_rows import click_row, link_from
from shared.domain.click_tokens import Keyring
from shared.domain.clicks import Visit
from shared.domain.links import Link
from shared.runtime.clock import utc_now
from shared.runtime.ids import new_id
from shared.usecases.record_click import ClickStore, record_click

Item = dict[str, Any]
_FRESH: Final = timedelta(seconds=45)
_STALE: Final = timedelta(hours=1)


class Rival:
    """A redirect over two functions that read a row by its key and store a click's row."""

    def __init__(
        self, *, read: Callable[[keys.Key], Item | None], write: Callable[[Item], None]
    ) -> None:
        """Read the signing keys before the first visitor comes, as the redirect does."""

        def link(code: str) -> Link | None:
            row = read(keys.link(code))
            return None if row is None else link_from(row)

        def keyring(_name: str) -> Keyring | None:
            row = read(keys.click_keyring())
            return None if row is None else keyring_from(row)

        self._write = write
        self._links = Cache(link, fresh=_FRESH, absent=_FRESH, stale=_STALE)
        self._keyrings = Cache(keyring, fresh=_FRESH, absent=_FRESH, stale=_STALE)
        self._keyrings.get("", utc_now())

    def answer(self, visit: Visit) -> answers.Answer:
        """Return where to go, after the click is stored."""
        now = utc_now()
        store = ClickStore(
            recall_link=self._links.recall,
            find_link=lambda code: self._links.get(code, now),
            find_keyring=lambda: self._keyrings.get("", now),
            save_click=lambda click: self._write(click_row(click)),
        )
        return answers.redirect(record_click(visit, store, now=now, new_id=new_id).location)
