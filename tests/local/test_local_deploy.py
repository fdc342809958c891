"""What makes the local cloud deploy again, and what its commands may reach."""

import io
import sys
from pathlib import Path

import pytest

from local import deploy
from local.deploy import Deployer, DeployError, cdk_environment, run
from local.emulator import Emulator
from local.places import Places, write_json
from local.progress import Progress

QUIET = Progress(stream=io.StringIO())


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places(home=tmp_path / "home")
    found.prepare()
    return found


@pytest.fixture
def deployer(tmp_path: Path, places: Places) -> Deployer:
    root = tmp_path / "repository"
    for name in ("functions/f", "shared", "infra", "requirements"):
        (root / name).mkdir(parents=True)
    for name in ("functions/f/handler.py", "requirements/lambda.txt", "cdk.json"):
        (root / name).write_text("1")
    return Deployer(
        places=places,
        emulator_port=1,
        public_url="http://127.0.0.1:2",
        progress=QUIET,
        root=root,
    )


def test_the_same_inputs_have_the_same_fingerprint(deployer: Deployer) -> None:
    before = deployer.fingerprint()
    cache = deployer.root / "functions/f/__pycache__"
    cache.mkdir()
    (cache / "handler.pyc").write_text("x")
    (deployer.root / "README.md").write_text("x")

    assert before == deployer.fingerprint()


@pytest.mark.parametrize("name", ["functions/f/handler.py", "requirements/lambda.txt", "infra/new"])
def test_a_changed_input_changes_the_fingerprint(deployer: Deployer, name: str) -> None:
    before = deployer.fingerprint()
    (deployer.root / name).write_text("2")

    assert before != deployer.fingerprint()


def test_another_address_changes_the_fingerprint(deployer: Deployer) -> None:
    moved = Deployer(
        places=deployer.places,
        emulator_port=1,
        public_url="http://127.0.0.1:3",
        progress=QUIET,
        root=deployer.root,
    )

    assert moved.fingerprint() != deployer.fingerprint()


@pytest.mark.parametrize(
    ("same", "alive", "expected"), [(True, True, "abc"), (False, True, None), (True, False, None)]
)
def test_a_deployment_is_skipped_only_if_unchanged_and_alive(
    deployer: Deployer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    same: bool,
    alive: bool,
    expected: str | None,
) -> None:
    fingerprint = deployer.fingerprint() if same else "other"
    write_json(deployer.places.deployed, {"fingerprint": fingerprint, "outputs": {"ApiId": "abc"}})
    monkeypatch.setattr(deploy, "answers", lambda emulator, deployment: alive)

    found = deployer.current(Emulator(port=1, identity="", process=None))  # type: ignore[arg-type]

    assert expected == (found.api_id if found else None)


def test_a_damaged_record_means_deploying_again(deployer: Deployer) -> None:
    deployer.places.deployed.write_text("{")

    assert deployer.current(Emulator(port=1, identity="", process=None)) is None  # type: ignore[arg-type]


def test_no_credential_of_the_user_reaches_the_commands(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")

    found = cdk_environment(4566, places)

    assert "AWS_PROFILE" not in found
    assert "AWS_SESSION_TOKEN" not in found
    assert found["AWS_ACCESS_KEY_ID"] == "test"
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert found["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_a_failing_command_says_why(places: Places) -> None:
    script = "print('x | CREATE_FAILED | because'); print('noise'); raise SystemExit(3)"

    with pytest.raises(DeployError, match="because") as failure:
        run(
            [sys.executable, "-c", script],
            environment={},
            folder=places.home,
            log=places.logs / "x.log",
            progress=QUIET,
        )

    assert "status 3" in str(failure.value)
    assert "noise" not in str(failure.value)


def test_a_missing_command_says_what_to_do(places: Places) -> None:
    with pytest.raises(DeployError, match="make setup"):
        run(
            ["/nonexistent/cdk"],
            environment={},
            folder=places.home,
            log=places.logs / "x.log",
            progress=QUIET,
        )
