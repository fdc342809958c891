"""The page about reward models is what the files say now."""

from __future__ import annotations

from programs.catalogue import TARGET, main, render


def test_page_is_up_to_date() -> None:
    assert TARGET.read_text("utf-8") == render(), "run python -m programs.catalogue"


def test_writing_it_again_changes_nothing() -> None:
    before = TARGET.read_bytes()
    main()
    assert before == TARGET.read_bytes()
