"""Pictures of short links."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
import segno

from tests.functions.manage_program.conftest import http_event

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

SHORT = "https://go.example.com/spring"
Matrix = list[list[bool]]


@pytest.fixture
def link(api: Api) -> str:
    body = {
        "partner_id": api.enrolled(),
        "program_id": "prg_demo",
        "destination": "https://www.example.com/",
        "code": "spring",
    }
    return str(api.made("/links", body)["code"])


def get(api: Api, kind: str, query: str = "", **headers: str) -> dict[str, Any]:
    sent = {"authorization": f"Bearer {api.key}", **headers}
    path = f"/v1/manage/links/spring/qr.{kind}"
    answer: dict[str, Any] = api.handler.handler(http_event("GET", path, query, sent, None), None)
    answer["headers"] = {name.lower(): value for name, value in answer["headers"].items()}
    return answer


def modules(error: str, border: int) -> Matrix:
    code = segno.make_qr(SHORT, error=error)
    return [[bool(bit) for bit in row] for row in code.matrix_iter(border=border)]


def shrunk(rows: list[str], size: int) -> Matrix:
    """Takes one pixel of each module."""
    return [[pixel == "0" for pixel in row[::size]] for row in rows[::size]]


def png_rows(raw: bytes) -> list[str]:
    """Reads a greyscale picture of one bit a pixel: "0" is black."""
    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, colour = struct.unpack(">IIBB", raw[16:26])
    assert (1, 0) == (depth, colour)
    data, at = b"", 8
    while at < len(raw):
        length, name = struct.unpack(">I4s", raw[at : at + 8])
        data += raw[at + 8 : at + 8 + length] if name == b"IDAT" else b""
        at += 12 + length
    lines = zlib.decompress(data)
    step = 1 + (width + 7) // 8
    assert step * height == len(lines)
    found, before = [], bytes(step - 1)
    for start in range(0, len(lines), step):
        line = lines[start + 1 : start + step]
        assert lines[start] in (0, 2)
        if lines[start] == 2:  # differences to the line above
            line = bytes((a + b) % 256 for a, b in zip(line, before, strict=True))
        found.append("".join(f"{byte:08b}" for byte in line)[:width])
        before = line
    return found


def svg_modules(text: str, border: int) -> Matrix:
    """Follows the pen of the one path: m moves, h draws."""
    root = ET.fromstring(text)  # noqa: S314 - our own picture
    assert "{http://www.w3.org/2000/svg}svg" == root.tag
    (path,) = root
    side = len(modules("M", border))
    found = [[False] * side for _ in range(side)]
    x = y = 0.0
    for command, arguments in re.findall(r"([Mmh])([-0-9. ]+)", path.attrib["d"]):
        numbers = [float(one) for one in re.findall(r"-?[0-9.]+", arguments)]
        if command == "h":
            for column in range(int(x), int(x + numbers[0])):
                found[int(y)][column] = True
            x += numbers[0]
        else:
            dx, dy = numbers
            x, y = (dx, dy) if command == "M" else (x + dx, y + dy)
    return found


def test_a_png_shows_the_short_address(api: Api, link: str) -> None:
    answer = get(api, "png")

    assert (200, True) == (answer["statusCode"], answer["isBase64Encoded"])
    assert "image/png" == answer["headers"]["content-type"]
    assert modules("M", 4) == shrunk(png_rows(base64.b64decode(answer["body"])), 8)
    assert f'inline; filename="{link}.png"' == answer["headers"]["content-disposition"]


def test_an_svg_shows_the_short_address(api: Api, link: str) -> None:
    answer = get(api, "svg")

    assert (200, False) == (answer["statusCode"], answer["isBase64Encoded"])
    assert "image/svg+xml; charset=utf-8" == answer["headers"]["content-type"]
    assert modules("M", 4) == svg_modules(answer["body"], 4)


def test_size_error_correction_and_quiet_zone_are_obeyed(api: Api, link: str) -> None:
    answer = get(api, "png", "size=3&error=h&quiet_zone=10")

    rows = png_rows(base64.b64decode(answer["body"]))
    assert modules("H", 10) == shrunk(rows, 3)
    assert len(rows) == 3 * len(modules("H", 10))


def test_the_largest_picture_is_small_enough_to_answer(api: Api, link: str) -> None:
    answer = get(api, "png", "size=32&error=H&quiet_zone=16")

    assert len(answer["body"]) < 20_000


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("size=0", "size"),
        ("size=33", "size"),
        ("size=1e9", "size"),
        ("size=", "size"),
        ("size=\u0661", "size"),
        ("quiet_zone=3", "quiet_zone"),
        ("quiet_zone=17", "quiet_zone"),
        ("error=X", "error"),
        ("error=", "error"),
        ("size=4&size=5", "size"),
        ("colour=red", "colour"),
    ],
)
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_picture_out_of_bounds_is_refused(
    api: Api, link: str, kind: str, query: str, path: str
) -> None:
    reply = api.send("GET", f"/links/{link}/qr.{kind}", query=query)

    assert (422, [path]) == (reply.status, reply.paths)


def test_a_picture_that_the_caller_has_is_not_sent_again(api: Api, link: str) -> None:
    first = get(api, "svg")
    assert "private, max-age=3600" == first["headers"]["cache-control"]
    etag = first["headers"]["etag"]

    for header in (etag, f'"other", W/{etag}'):
        again = get(api, "svg", **{"if-none-match": header})
        assert (304, "", etag) == (again["statusCode"], again["body"], again["headers"]["etag"])
    assert 200 == get(api, "svg", "size=9", **{"if-none-match": etag})["statusCode"]
    assert 200 == get(api, "png", **{"if-none-match": etag})["statusCode"]


def test_a_retired_link_is_drawn_no_more(api: Api, link: str) -> None:
    api.send("DELETE", f"/links/{link}")

    reply = api.send("GET", f"/links/{link}/qr.png")

    assert (409, "link_retired") == (reply.status, reply.code)


def test_a_disabled_link_can_be_drawn(api: Api, link: str) -> None:
    api.send("PATCH", "/links/spring", {"disabled": True})

    assert 200 == get(api, "png")["statusCode"]


def test_other_routes_start_without_the_drawing_library() -> None:
    import subprocess  # noqa: PLC0415 - only here
    import sys  # noqa: PLC0415

    code = "import sys, functions.manage_program.routes; sys.exit('segno' in sys.modules)"

    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], check=False, capture_output=True, timeout=60
    )
    assert (0, b"") == (done.returncode, done.stderr)
