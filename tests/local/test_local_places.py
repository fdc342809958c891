"""Files of the local cloud."""

import stat
import time
from pathlib import Path

import pytest

from local.places import OLD, BusyError, Places, read_json, write_json


def test_a_new_start_keeps_the_state_and_empties_the_scratch_space(tmp_path: Path) -> None:
    places = Places(home=tmp_path / "home")
    places.prepare()
    (places.state / "kept").write_text("x")
    (places.tmp / "gone").write_text("x")

    places.prepare()

    assert [path.name for path in places.state.iterdir()] == ["kept"]
    assert list(places.tmp.iterdir()) == []


def test_what_earlier_starts_left_is_removed_beside_the_start(tmp_path: Path) -> None:
    places = Places(home=tmp_path / "home")
    left = places.home / f"{OLD}1" / "function"
    left.mkdir(parents=True)
    places.tmp.mkdir()
    (places.tmp / "gone").write_text("x")

    places.prepare()

    deadline = time.monotonic() + 10
    while (old := list(places.home.glob(f"{OLD}*"))) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [] == old
    assert {"log", "state", "tmp"} == {path.name for path in places.home.iterdir()}


def test_keys_are_readable_by_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"

    write_json(path, {"admin_key": "x"})

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_json(path) == {"admin_key": "x"}


def test_a_missing_or_damaged_file_is_empty(tmp_path: Path) -> None:
    (tmp_path / "damaged").write_text("{")
    (tmp_path / "list").write_text("[]")

    assert {} == read_json(tmp_path / "missing")
    assert {} == read_json(tmp_path / "damaged")
    assert {} == read_json(tmp_path / "list")


def test_a_second_local_cloud_in_the_same_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.places.LOCK_WAIT_S", 0.0)
    places = Places(home=tmp_path / "home")

    with places.locked(), pytest.raises(BusyError), places.locked():
        pass

    with places.locked():
        assert places.home.is_dir()


def test_wiping_forgets_everything_but_the_lock(tmp_path: Path) -> None:
    places = Places(home=tmp_path / "home")
    with places.locked():
        places.prepare()
        write_json(places.endpoints, {"x": 1})

        places.wipe()

    assert [path.name for path in places.home.iterdir()] == ["lock"]
