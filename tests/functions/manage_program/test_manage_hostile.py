"""Whatever reaches a route answers below 500, and refusals change nothing."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.manage_program.routes import ROUTES

if TYPE_CHECKING:
    from functions.manage_program.calls import Route
    from tests.functions.manage_program.conftest import Api

FIELDS = [
    "id",
    "name",
    "currency",
    "landing_hosts",
    "allowed_origins",
    "thank_you_url",
    "partner_id",
    "program_id",
    "accept_terms",
    "destination",
    "code",
    "utm",
    "expires_at",
    "kind",
    "stage_map",
    "secret",
    "decision",
    "reason",
    "scopes",
    "principal",
    "email",
    "country",
    "rules",
    "windows",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just("prg_demo"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=60) | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8)
IDS = st.text(max_size=30) | st.sampled_from(["prg_demo", "ref_1", "1", "999999", "%00", "x" * 90])
QUERIES = st.text(alphabet=string.printable, max_size=40) | st.builds(
    "{}={}".format,
    st.sampled_from(["limit", "cursor", "program_id", "partner_id", "referral_id", "state"]),
    st.text(max_size=30).map(lambda text: quote(text.encode("utf-8", "replace"))),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "idempotency-key": st.text(max_size=10),
        "content-type": st.sampled_from(
            ["application/json", "application/yaml", "text/plain", "", ";;"]
        ),
    },
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.sampled_from(ROUTES), part=IDS, query=QUERIES, body=st.none() | BODIES, headers=HEADERS
)
def test_any_request_answers_below_500(  # noqa: PLR0917
    api: Api, route: Route, part: str, query: str, body: object, headers: dict[str, str]
) -> None:
    path = re.sub(r"<[^>]*>", lambda _: part, route.pattern)

    reply = api.send(route.method, path, body, query=query, headers=headers)

    assert reply.status < 500
    if reply.status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.body["code"]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))
)
def test_any_yaml_answers_below_500(api: Api, raw: bytes) -> None:
    if api.send("GET", "/programs/prg_demo").status == 404:
        api.program()

    headers = {"content-type": "application/yaml"}
    reply = api.send("POST", "/programs/prg_demo/terms", raw, headers=headers)

    assert reply.status in (400, 422)
