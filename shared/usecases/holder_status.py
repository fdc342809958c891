"""Read the status of the partners who hold rewards, each once, and show what it does to them."""

from collections.abc import Iterable
from typing import Final

from shared.domain.holders import as_held, may_wait
from shared.domain.partners import SUSPENDED
from shared.domain.rewards import Reward
from shared.domain.terms import PARTNER
from shared.ports import StatusStore


class Holders:
    """The holders of rewards, for one run or one request; nothing is remembered beyond it."""

    def __init__(self, store: StatusStore) -> None:
        """Keep where statuses are read."""
        self._store: Final = store
        self._known: Final[dict[str, str]] = {}

    def status(self, reward: Reward) -> str:
        """Return the status of the partner who holds a reward; "" if no partner does."""
        if reward.role != PARTNER:
            return ""
        if reward.holder_id not in self._known:
            self._known[reward.holder_id] = self._store.partner_status(reward.holder_id)
        return self._known[reward.holder_id]

    def as_held(self, reward: Reward) -> Reward:
        """Return a reward as it counts now: held, as long as its holder is suspended."""
        return as_held(reward, self.status(reward)) if may_wait(reward) else reward

    def suspended(self, rewards: Iterable[Reward]) -> dict[tuple[str, str], set[str]]:
        """Return who waits for a part because of being suspended, by rule and occurrence."""
        found: dict[tuple[str, str], set[str]] = {}
        for reward in rewards:
            if may_wait(reward) and self.status(reward) == SUSPENDED:
                place = (reward.rule_id, reward.occurrence)
                found.setdefault(place, set()).add(reward.holder_id)
        return found
