"""Runs the checks on the stand-ins that tests use and on the local cloud.

The local cloud is the emulator as ``make run`` starts it, with nothing deployed: what is checked
is the services. ``deviations.py`` lists where one of them is known to differ.
"""

from __future__ import annotations

import uuid
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.builders.emulated import Emulated, emulated
from tests.conformance.deviations import deviation_of
from tests.conformance.rows import Rows
from tests.conformance.stores import CloudStore, MemoryStore, Store
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BACKENDS = [pytest.param("memory"), pytest.param("cloud", marks=pytest.mark.e2e)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        known = deviation_of(item.name)
        if known:
            # A refused connection is no deviation.
            wrong = (AssertionError, pytest.fail.Exception)
            item.add_marker(pytest.mark.xfail(reason=known.reason, raises=wrong, strict=True))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    with emulated(tmp_path_factory.mktemp("conformance")) as running:
        yield running


@pytest.fixture(scope="session")
def cloud_store(cloud: Emulated) -> Callable[[str], CloudStore]:
    """Makes each table once, because that takes longer than most checks."""

    @cache
    def store_of(table: str) -> CloudStore:
        return CloudStore(
            client=cloud.client("dynamodb"), streams=cloud.client("dynamodbstreams"), table=table
        )

    return store_of


def store_of(request: pytest.FixtureRequest, table: str) -> Store:
    if request.param == "memory":
        return MemoryStore(client=MemoryDynamo(), table=table)
    found: CloudStore = request.getfixturevalue("cloud_store")(table)
    return found


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest) -> Store:
    return store_of(request, "conformance-core")


@pytest.fixture(params=BACKENDS)
def books(request: pytest.FixtureRequest, pk: str) -> Rows:
    store = store_of(request, "conformance-books")
    return Rows(store.client, store.table, pk)


@pytest.fixture
def pk() -> str:
    """A partition of the test's own, because a real table is shared by all tests."""
    return f"T#{uuid.uuid4().hex}"


@pytest.fixture
def rows(store: Store, pk: str) -> Rows:
    return Rows(store.client, store.table, pk)
