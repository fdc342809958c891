"""The redirect's start: what it loads, and what it may never load."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.catalogue import TRACK_CLICK
from infra.packages import packages_for
from infra.settings import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
FORBIDDEN = {"aws_lambda_powertools", "boto3", "botocore", "pydantic", "urllib3", "requests"}
ALLOWED_OF_OURS = {
    "functions",
    "functions.track_click",
    "functions.track_click.answers",
    "functions.track_click.cache",
    "functions.track_click.handler",
    "shared",
    "shared.adapters",
    "shared.adapters.dynamodb",
    "shared.adapters.dynamodb.codec",
    "shared.adapters.dynamodb.keyring_rows",
    "shared.adapters.dynamodb.lean",
    "shared.adapters.dynamodb.lean_connection",
    "shared.adapters.dynamodb.lean_credentials",
    "shared.adapters.dynamodb.lean_keys",
    "shared.adapters.dynamodb.link_rows",
    "shared.domain",
    "shared.domain.bot_markers",
    "shared.domain.click_tokens",
    "shared.domain.clicks",
    "shared.domain.errors",
    "shared.domain.links",
    "shared.names",
    "shared.runtime",
    "shared.runtime.clock",
    "shared.runtime.config",
    "shared.runtime.ids",
    "shared.usecases",
    "shared.usecases.record_click",
}
SLOW = {"email", "encodings.idna", "http.client", "pathlib", "random", "zoneinfo"}
"""Modules of the standard library that a start can do without."""
MAX_MODULES = 130
"""Python's own start included, Lambda's runtime client not; it loads thirty others."""

PROGRAM = """
import json, sys
from functions.track_click.handler import handler
event = {
    "rawPath": "/spring",
    "headers": {"user-agent": "Firefox"},
    "requestContext": {"requestId": "r", "http": {"method": "GET"}},
}
answer = handler(event, None)
print(json.dumps({"answer": answer, "modules": sorted(sys.modules)}))
"""

ROWS = {
    "LINK#spring": {
        "code": {"S": "spring"},
        "program_id": {"S": "prg_1"},
        "partner_id": {"S": "ptr_1"},
        "destination": {"S": "https://shop.example/"},
        "utm": {"M": {}},
        "campaign": {"S": ""},
        "asset": {"S": ""},
        "click_param": {"S": "click_id"},
        "add_via": {"BOOL": True},
        "precedence": {"S": "query_wins"},
        "disabled": {"BOOL": False},
        "fallback_url": {"S": ""},
        "created_at": {"S": "2026-01-02T03:04:05+00:00"},
    },
    "KEYRING#click": {
        "keys": {
            "L": [
                {
                    "M": {
                        "key_id": {"S": "k1"},
                        "secret": {"B": "c2VjcmV0c2VjcmV0"},
                        "created_at": {"S": "2026-01-02T03:04:05+00:00"},
                    }
                }
            ]
        },
        "version": {"N": "1"},
    },
}


class Table(http.server.BaseHTTPRequestHandler):
    """As much of DynamoDB as one click needs."""

    protocol_version = "HTTP/1.1"
    operations: list[str] = []  # noqa: RUF012 - emptied by the fixture

    def do_POST(self) -> None:
        operation = self.headers["x-amz-target"].partition(".")[2]
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = request["Key"]["pk"]["S"] if "Key" in request else request["Item"]["sk"]["S"]
        self.operations.append(f"{operation} {key.partition('_')[0]}")
        answer = {"Item": ROWS[key]} if operation == "GetItem" else {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""


@pytest.fixture
def store() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Table)
    Table.operations.clear()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def sources() -> Path:
    return ROOT


def package() -> Path:
    return packages_for(LOCAL).assemble(TRACK_CLICK.name)


@pytest.mark.loopback
@pytest.mark.parametrize("folder_of", [sources, package])
def test_a_cold_start_serves_a_click_and_loads_little(
    store: str, folder_of: Callable[[], Path]
) -> None:
    folder = folder_of()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder),
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": store,
        "GOODWORD_CORE_TABLE": "core",
        "GOODWORD_CLICKS_TABLE": "clicks",
    }

    # Without site-packages, as in Lambda's zip: only the standard library and our own files.
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-S", "-c", PROGRAM],
        env=environment,
        cwd=folder,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert ("", 0) == (done.stderr, done.returncode)
    outcome = json.loads(done.stdout)
    assert 302 == outcome["answer"]["statusCode"]
    assert outcome["answer"]["headers"]["location"].startswith(
        "https://shop.example/?click_id=v1.k1."
    )
    assert ["GetItem KEYRING#click", "GetItem LINK#spring", "PutItem clk"] == Table.operations
    modules = set(outcome["modules"])
    assert set() == {name for name in modules if name.partition(".")[0] in FORBIDDEN}
    ours = {name for name in modules if name.partition(".")[0] in {"functions", "shared"}}
    assert ALLOWED_OF_OURS == ours
    assert set() == modules & SLOW
    assert len(modules) <= MAX_MODULES
    # What is shipped has no use for types.
    assert folder == ROOT or "typing" not in modules
