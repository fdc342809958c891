"""Take each site away in turn and look for a play of a scene or a race that goes wrong without it.

What was found is remembered as a witness, so that the gate need not search. Where other
conditions of the same request would refuse as well, the witness is a play that is right without
the one and right without the others, and wrong without any of them.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness.cloud import running_cloud
from tests.harness.explore import come_to_rest
from tests.harness.plays import OTHERS, names, prepared, stand_of
from tests.harness.sites import refusing, site_from, sites_of, without

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from tests.harness.cloud import Cloud
    from tests.harness.plays import Effort, Stand
    from tests.harness.sites import Request, Site

WITNESSES = Path(__file__).with_name("witnesses.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A play of a scene or a race that shows what a site is for, with or ``beside`` others."""

    name: str
    told: str
    beside: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Watch:
    """What a play passes, and for each condition that it finds not to hold, what else did not."""

    passed: set[Site] = field(default_factory=set)
    refused: dict[Site, set[Site]] = field(default_factory=dict)

    def can_tell(self, site: Site) -> bool:
        """Tell whether the play can go otherwise without a site."""
        return site in (self.passed if site.kind == "member" else self.refused)


@contextmanager
def watched(cloud: Cloud) -> Iterator[Watch]:
    """Watch what is sent."""
    watch = Watch()

    def note(operation: str, request: Request) -> Request:
        watch.passed.update(sites_of(operation, request))
        refused = {*refusing(operation, request, cloud.store)}
        for site in refused:
            watch.refused.setdefault(site, set()).update(refused - {site})
        return request

    cloud.wire.mutate = note
    yield watch
    cloud.wire.mutate = None


def seen(stand: Stand, sites: Iterable[Site], told: str) -> bool:
    """Tell whether a play goes wrong without sites. One that breaks off would be seen too."""
    stand.cloud.wire.mutate = without(*sites)
    try:
        return bool(stand.wrong(told))
    except Exception:  # noqa: BLE001 - as it would fail the test
        return True
    finally:
        stand.cloud.wire.mutate = None


def is_shown(stand: Stand, site: Site, witness: Witness) -> bool:
    """Tell whether a witness still shows what a site is for."""
    if not witness.beside:
        return seen(stand, [site], witness.told)
    others = [site_from(text) for text in witness.beside]
    alone = (seen(stand, sites, witness.told) for sites in ([site], others))
    return not any(alone) and seen(stand, [site, *others], witness.told)


# -- the hunt ------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Hunt:
    """What is known of all sites, and how often to try one in the same scene or race."""

    effort: Effort
    seed: int
    known: dict[str, Witness]
    sites: set[Site] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def look_at(self, name: str) -> int:
        """Play a scene or a race many times; return of how many sites it is a new witness."""
        tried: Counter[Site] = Counter()
        before = len(self.known)
        with stand_of(name) as stand:
            plays = stand.tries(self.effort, self.seed)
            while True:
                with watched(stand.cloud) as watch:
                    told, wrong = next(plays, ("", []))
                if not told:
                    return len(self.known) - before
                if wrong:
                    self.wrong.append(f"{name} | {told}: {wrong[:3]}")
                    continue
                self.sites |= watch.passed
                for site in sorted(self.sites):
                    if watch.can_tell(site) and not self._is_done(site):
                        tried[site] += 1
                        if tried[site] <= self.effort.patience:
                            self._try(stand, site, told, watch)

    def left(self) -> list[Site]:
        """Return the sites without a witness."""
        return sorted(site for site in self.sites if str(site) not in self.known)

    def _is_done(self, site: Site) -> bool:
        witness = self.known.get(str(site))
        return witness is not None and not witness.beside

    def _try(self, stand: Stand, site: Site, told: str, watch: Watch) -> None:
        name = stand.name
        if seen(stand, [site], told):
            self.known[str(site)] = Witness(name=name, told=told)
            return
        others = sorted(watch.refused.get(site, ()))
        for beside in [*([one] for one in others), *([others] if others[1:] else [])]:
            if str(site) not in self.known:
                witness = Witness(name=name, told=told, beside=tuple(map(str, beside)))
                if is_shown(stand, site, witness):
                    self.known[str(site)] = witness


# -- witnesses -----------------------------------------------------------------------------------


def known_witnesses() -> dict[str, Witness]:
    """Return what was found before, by the text of the site."""
    found = json.loads(WITNESSES.read_text(encoding="utf-8"))
    return {
        text: Witness(name=one["name"], told=one["told"], beside=tuple(one.get("beside", ())))
        for text, one in found.items()
    }


def write_witnesses(known: Mapping[str, Witness]) -> None:
    """Remember what was found."""
    rows = {}
    for text in sorted(known):
        one = known[text]
        beside = {"beside": one.beside} if one.beside else {}
        rows[text] = {"name": one.name, "told": one.told, **beside}
    WITNESSES.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


@dataclass(slots=True, kw_only=True)
class Heard:
    """What the witnesses said: ``passed`` were which sites, ``silent`` are witnesses of nothing.

    ``wrong`` is what was wrong although nothing was taken away.
    """

    passed: set[Site] = field(default_factory=set)
    silent: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def hear(known: Mapping[str, Witness], drawn: Container[str]) -> Heard:
    """Play what each witness of the drawn scenes and races tells, and the others just once.

    A witness is played with all that is sent, and without what it is a witness of.
    """
    heard = Heard()
    for name in names():
        mine = {text: one for text, one in known.items() if one.name == name}
        if mine and name in drawn:
            _play(heard, name, mine)
        elif name not in OTHERS:
            heard.passed |= _passed_in(name)
    return heard


def _play(heard: Heard, name: str, mine: Mapping[str, Witness]) -> None:
    with stand_of(name) as stand:
        with watched(stand.cloud) as watch:
            stand.wrong(stand.plain)
        heard.passed |= watch.passed
        for told in sorted({one.told for one in mine.values()}):
            heard.wrong += [f"{name} | {told}: {one}" for one in stand.wrong(told)]
        for text, one in mine.items():
            if not is_shown(stand, site_from(text), one):
                heard.silent.append(text)


def _passed_in(name: str) -> set[Site]:
    """Return the sites of a scene or race that is told from begin to end, just once."""
    with running_cloud() as cloud:
        acts = prepared(cloud, name)
        with watched(cloud) as watch:
            for act in acts:
                act(cloud)
            come_to_rest(cloud)
    return watch.passed
