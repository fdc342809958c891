from __future__ import annotations

import pytest

from functions.manage_program.services import CACHED_SECONDS, Cached, from_environment
from shared import names
from shared.adapters.dynamodb import keyrings
from shared.domain.errors import UnavailableError
from tests.fakes.memory_dynamodb import MemoryDynamo
from tests.functions.manage_program.conftest import CORE, NOW


def test_a_value_is_read_again_when_it_is_old() -> None:
    moment = [0.0]
    reads: list[int] = []

    def read() -> int:
        reads.append(1)
        return len(reads)

    cached = Cached(read, clock=lambda: moment[0])

    assert (1, 1) == (cached(), cached())
    moment[0] = CACHED_SECONDS + 1
    assert cached() == 2


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in (names.ENV_CORE_TABLE, names.ENV_ADMIN_SECRET):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(Exception, match=names.ENV_CORE_TABLE):
        from_environment()


def test_there_are_no_keyrings_before_the_first_use() -> None:
    client = MemoryDynamo()

    with pytest.raises(UnavailableError):
        keyrings.click_keyring(client, CORE)
    with pytest.raises(UnavailableError):
        keyrings.server_secret(client, CORE)


def test_a_keyring_made_by_another_counts() -> None:
    client = MemoryDynamo()

    def meanwhile(_request: object) -> None:
        client.before.clear()
        keyrings.ensure_keyrings(client, CORE, now=NOW)

    client.before["transact_write_items"] = meanwhile
    keyrings.ensure_keyrings(client, CORE, now=NOW)
    first = keyrings.server_secret(client, CORE)
    keyrings.ensure_keyrings(client, CORE, now=NOW)

    assert first == keyrings.server_secret(client, CORE)
    assert len(first) == 32
    assert len(keyrings.click_keyring(client, CORE).keys) == 1
