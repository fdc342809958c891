"""Where a backend is known to differ from the service, and what catches reliance on it.

Strict: a check that is listed here and passes fails the run, so a line goes on the day that its
backend is mended. Gaps of the local cloud outside the services that the checks cover have their
canaries in ``tests/canaries``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A check that a backend fails; without ``case`` it fails all cases of it.

    ``caught_by`` is a test that would fail if the product came to rely on the difference.
    """

    backend: str
    check: str
    case: str = ""
    reason: str
    caught_by: str


# Tests of adapters and budgets run on the DynamoDB in memory, which passes these checks.
_FAULTY = "conformance/test_dynamodb_rows.py::test_a_faulty_update_is_refused"
_READ = "budgets/test_meter.py::test_a_consistent_read_takes_a_unit_for_each_4_kb_begun"
_QUERY = "budgets/test_meter.py::test_a_query_is_rounded_up_once"
# No code of KMS is told from another: each means that the secret can't be had now.
_KEY = "adapters/test_secrets.py::test_a_key_that_can_not_be_used_is_an_outage"

DEVIATIONS = (
    Deviation(
        backend="cloud",
        check="test_a_faulty_update_is_refused",
        case="path twice",
        reason="sets an attribute twice and keeps the last value",
        caught_by=_FAULTY,
    ),
    Deviation(
        backend="cloud",
        check="test_a_faulty_update_is_refused",
        case="path set and removed",
        reason="sets an attribute and removes it again",
        caught_by=_FAULTY,
    ),
    Deviation(
        backend="cloud",
        check="test_a_read_takes_a_unit_for_each_4_kb_begun",
        case="over 4 KB",
        reason="reports one unit for a read of any size",
        caught_by=_READ,
    ),
    Deviation(
        backend="cloud",
        check="test_a_read_takes_a_unit_for_each_4_kb_begun",
        case="over 4 KB and stale",
        reason="reports half a unit for a read of any size",
        caught_by=_READ,
    ),
    Deviation(
        backend="cloud",
        check="test_a_query_is_rounded_up_once",
        reason="reports one unit for a page of any size",
        caught_by=_QUERY,
    ),
    Deviation(
        backend="cloud",
        check="test_a_request_over_one_megabyte_is_refused",
        reason="accepts events of any size",
        caught_by="adapters/test_event_bus.py::test_a_request_stays_below_one_megabyte",
    ),
    Deviation(
        backend="cloud",
        check="test_a_detail_that_is_no_object_is_refused_alone",
        reason="accepts any text as the detail of an event",
        caught_by="adapters/test_event_bus.py::test_an_event_goes_out_whole",
    ),
    Deviation(
        backend="cloud",
        check="test_a_changed_ciphertext_is_refused",
        reason="decrypts whatever looks like a ciphertext",
        # On moto, where the tests of secrets run.
        caught_by="conformance/test_kms.py::test_a_changed_ciphertext_is_refused",
    ),
    Deviation(
        backend="cloud",
        check="test_a_ciphertext_of_another_key_is_refused",
        reason="decrypts with any key",
        caught_by=_KEY,
    ),
    Deviation(
        backend="moto",
        check="test_a_ciphertext_of_another_key_is_refused",
        reason="refuses with AccessDeniedException",
        caught_by=_KEY,
    ),
)


def deviation_of(name: str) -> Deviation | None:
    """Returns what is known about a check, by its name as pytest spells it."""
    check, _, rest = name.rstrip("]").partition("[")
    backend, _, case = rest.partition("-")
    for known in DEVIATIONS:
        if (known.backend, known.check) == (backend, check) and known.case in {"", case}:
            return known
    return None
