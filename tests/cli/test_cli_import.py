from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.link_file import read_links
from cli.output import spreadsheet_cell
from cli.progress import Bar
from cli.refusals import WrongInputError

if TYPE_CHECKING:
    from shared.adapters.management_api import Reply
    from tests.cli.conftest import Shell

HEADER = "partner_id,program_id,destination,code,campaign,utm_source\n"
TO = "https://www.example.com/start"


@pytest.fixture
def partner_id(shell: Shell) -> str:
    found = shell.api.enrolled()
    shell.sent.clear()
    return found


def write(text: str, name: str = "links.csv") -> Path:
    path = Path(name)
    path.write_text(text, "utf-8")
    return path


def some_rows(partner_id: str, count: int) -> str:
    rows = (f"{partner_id},prg_demo,{TO}?n={n},,spring,mail\n" for n in range(count))
    return HEADER + "".join(rows)


def results(name: str = "links.result.csv") -> list[dict[str, str]]:
    with Path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stored_codes(shell: Shell) -> set[str]:
    query = "program_id=prg_demo&limit=100"
    items = shell.api.send("GET", "/links", query=query).body["items"]
    return {item["code"] for item in items}


def faults(shell: Shell) -> list[str]:
    return shell.err.splitlines()


def test_every_row_becomes_a_link(shell: Shell, partner_id: str) -> None:
    row = f"{partner_id},prg_demo,{TO},Spring-26,spring,{{partner}}\n"
    write(HEADER + row + f"{partner_id},,{TO},,,\n")

    assert 0 == shell("links", "import", "links.csv", "--program", "prg_demo")

    first, second = results()
    assert ("2", "spring-26", "https://go.example.com/spring-26", "") == (
        first["row"],
        first["code"],
        first["short_url"],
        first["error"],
    )
    assert {"spring-26", second["code"]} == stored_codes(shell)
    link = shell.api.services.links.link("spring-26")
    assert link is not None
    assert {"utm_source": partner_id} == link.utm
    assert "2 made, 0 refused" in shell.out


def test_a_second_run_makes_nothing_twice_and_tells_the_same(shell: Shell, partner_id: str) -> None:
    write(some_rows(partner_id, 5))
    shell("links", "import", "links.csv")
    before = results()

    assert 0 == shell("links", "import", "links.csv")

    assert before == results()
    assert 5 == len(stored_codes(shell))


def test_rows_that_say_the_same_are_links_of_their_own(shell: Shell, partner_id: str) -> None:
    write(HEADER + f"{partner_id},prg_demo,{TO},,,\n" * 3)

    for _ in range(2):
        shell("links", "import", "links.csv")

    assert 3 == len(stored_codes(shell))


@pytest.mark.parametrize("point", range(1, 5))
def test_a_run_that_breaks_off_is_run_again(shell: Shell, partner_id: str, point: int) -> None:
    write(some_rows(partner_id, 4))

    def down(number: int) -> Reply | None:
        if number >= point:
            raise ConnectionResetError
        return None

    shell.before = down
    assert 1 == shell("links", "import", "links.csv")
    assert f"broken off after {point - 1} of 4" in shell.err
    assert point - 1 == len(results())

    shell.before = lambda _number: None
    assert 0 == shell("links", "import", "links.csv")
    assert {row["code"] for row in results()} == stored_codes(shell)
    assert 4 == len(stored_codes(shell))


def test_an_answer_that_got_lost_is_no_second_link(shell: Shell, partner_id: str) -> None:
    write(some_rows(partner_id, 2))
    lost = shell.answer

    def answer(number: int) -> Reply | None:
        if number == 1:
            method, url, headers, body = shell.sent[-1]
            shell.before = lambda _number: None
            lost(method, url, headers=headers, body=body)
            raise TimeoutError
        return None

    shell.before = answer

    assert 0 == shell("links", "import", "links.csv")
    assert 2 == len(stored_codes(shell))


def test_columns_in_another_order_are_the_same_rows(shell: Shell, partner_id: str) -> None:
    write(
        f"partner_id,program_id,destination,utm_term,utm_source\n{partner_id},prg_demo,{TO},a,b\n"
    )
    shell("links", "import", "links.csv")
    write(
        f"utm_source;destination;utm_term;program_id;partner_id\nb;{TO};a;prg_demo;{partner_id}\n"
    )

    assert 0 == shell("links", "import", "links.csv")
    assert 1 == len(stored_codes(shell))


def test_a_row_that_is_refused_is_noted_and_the_next_one_follows(
    shell: Shell, partner_id: str
) -> None:
    bad = f"{partner_id},prg_demo,https://evil.example/,,,\n"
    write(HEADER + bad + f"{partner_id},prg_demo,{TO},,,\nptr_none,prg_demo,{TO},,,\n")

    assert 1 == shell("links", "import", "links.csv", "--out", "out.csv", "--json")

    errors = [row["error"] for row in results("out.csv")]
    assert "destination: must be on a landing host" == errors[0]
    assert "" == errors[1]
    assert "partner_id: there is no such partner" == errors[2]
    assert (1, 2) == (json.loads(shell.out)["made"], json.loads(shell.out)["refused"])


def test_a_key_that_may_not_make_links_ends_the_run(shell: Shell, partner_id: str) -> None:
    write(some_rows(partner_id, 3))
    shell.environ["GOODWORD_KEY"] = shell.api.key_with("read")

    assert 1 == shell("links", "import", "links.csv")
    assert 1 == len(shell.sent)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("ptr_1,prg_demo,http://www.example.com/,,,", "row 2, column destination: must begin"),
        ("ptr_1,prg_demo,https://www.example.com/a b,,,", "row 2, column destination: must not"),
        (f"ptr_1,prg_demo,{TO}{'x' * 2000},,,", "row 2, column destination: has more than"),
        ("ptr_1,prg_demo,,,,", "row 2, column destination: is empty"),
        (f",prg_demo,{TO},,,", "row 2, column partner_id: is empty"),
        (f"ptr_1,,{TO},,,", "row 2, column program_id: is empty"),
        (f"../x,prg_demo,{TO},,,", "row 2, column partner_id: can't be an id"),
        (f"ptr_1,prg_demo,{TO},a_b,,", "row 2, column code: must be 3 to 40"),
        (f"ptr_1,prg_demo,{TO},healthz,,", "row 2, column code: is reserved"),
        (f"ptr_1,prg_demo,{TO},,{'x' * 101},", "row 2, column campaign: has more than 100"),
        (f'ptr_1,prg_demo,{TO},,"a\nb",', "row 2, column campaign: holds a line break"),
        (f"ptr_1,prg_demo,{TO},,*,", "row 2, column campaign: must not be *"),
        (f"ptr_1,prg_demo,{TO},,,{{email}}", "row 2, column utm_source: only {partner}"),
        (f"ptr_1,prg_demo,{TO},,,,more", "row 2: has more cells than the first row"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_sent(shell: Shell, row: str, expected: str) -> None:
    write(HEADER + row + "\n" + f"ptr_1,prg_demo,{TO},,,\n")

    assert 2 == shell("links", "import", "links.csv")
    assert [True] == [line.startswith(expected) for line in faults(shell)]
    assert ([], False) == (shell.sent, Path("links.result.csv").exists())


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("expires_at", "2027-01-01T00:00:00", "row 2, column expires_at: must be a time"),
        ("expires_at", "tomorrow", "row 2, column expires_at: must be a time"),
        ("click_cap", "0", "row 2, column click_cap: must be a whole number"),
        ("click_cap", "1e3", "row 2, column click_cap: must be a whole number"),
        ("precedence", "link", "row 2, column precedence: must be one of"),
        ("colour", "red", "row 1: there is no column 'colour'"),
        ("code,code", "a,b", "row 1: the column code comes 2 times"),
    ],
)
def test_other_columns_are_checked_as_well(
    shell: Shell, header: str, row: str, expected: str
) -> None:
    write(f"partner_id,program_id,destination,{header}\nptr_1,prg_demo,{TO},{row}\n")

    assert 2 == shell("links", "import", "links.csv")
    assert [True] == [line.startswith(expected) for line in faults(shell)]


def test_all_faults_are_told_at_once(shell: Shell) -> None:
    write(HEADER + "ptr_1,prg_demo,ftp://x,a,,\n\nptr_1,,,,,{x}\n")

    assert 2 == shell("links", "import", "links.csv")
    assert [
        "row 2, column destination",
        "row 2, column code",
        "row 4, column program_id",
        "row 4, column destination",
        "row 4, column utm_source",
    ] == [line.partition(":")[0] for line in faults(shell)]


def test_a_code_that_comes_twice_is_told(shell: Shell) -> None:
    write(HEADER + f"ptr_1,prg_demo,{TO},spring,,\nptr_1,prg_demo,{TO},SPRING,,\n")

    assert 2 == shell("links", "import", "links.csv")
    assert ["row 3, column code: is that of row 2 too"] == faults(shell)


def test_many_faults_are_cut(shell: Shell) -> None:
    write(HEADER + "ptr_1,prg_demo,x,,,\n" * 60)

    shell("links", "import", "links.csv")

    assert (51, "... and 10 more") == (len(faults(shell)), faults(shell)[-1])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "row 1"),
        (HEADER.encode(), "there are no links"),
        (b"partner_id,destination\n\xff,x\n", "not UTF-8"),
        (b'partner_id,destination\n"a,b', "no CSV"),
        (b"destination\nx\n", "row 1: the column partner_id is missing"),
        (b"x" * 10_000_001, "over 10 MB"),
        (b"partner_id,destination\n" + b"a,b\n" * 10_001, "over 10000 rows"),
    ],
)
def test_a_file_that_holds_no_links_is_refused(shell: Shell, raw: bytes, expected: str) -> None:
    Path("links.csv").write_bytes(raw)

    assert 2 == shell("links", "import", "links.csv", "--program", "prg_demo")
    assert expected in shell.err
    assert [] == shell.sent


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    path = tmp_path / "links.csv"
    text = f"Partner_ID;Destination;utm_source;;\r\nptr_1;{TO};\u00e9;;\r\n;;;;\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace(";;\r", "\r").encode())

    (row,) = read_links(path, "prg_demo")

    assert {"utm_source": "\u00e9"} == row.body["utm"]


def test_a_dry_run_sends_nothing(shell: Shell, partner_id: str) -> None:
    write(some_rows(partner_id, 3))

    assert 0 == shell("links", "import", "links.csv", "--dry-run")
    assert "3 links would be made" in shell.out
    assert ([], False) == (shell.sent, Path("links.result.csv").exists())


def test_the_result_does_not_overwrite_what_is_read(shell: Shell, partner_id: str) -> None:
    path = write(some_rows(partner_id, 1))

    assert 2 == shell("links", "import", "links.csv", "--out", "./links.csv")
    assert some_rows(partner_id, 1) == path.read_text()
    assert 2 == shell("links", "import", "links.csv", "--out", "missing/x.csv")
    assert [] == shell.sent


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
def test_no_cell_is_taken_for_a_formula(first: str) -> None:
    assert f"'{first}1+1" == spreadsheet_cell(f"{first}1+1")
    assert f"1{first}1" == spreadsheet_cell(f"1{first}1")


def test_no_cell_of_a_result_is_taken_for_a_formula(shell: Shell, partner_id: str) -> None:
    write(HEADER + f'{partner_id},prg_demo,{TO},-ab,"=HYPERLINK(1)",\n')

    assert 0 == shell("links", "import", "links.csv")

    (row,) = results()
    assert ("'-ab", "'=HYPERLINK(1)") == (row["code"], row["campaign"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_on_one_line() -> None:
    stream, seconds = Terminal(), iter([0.0, 10.0, 20.0])
    bar = Bar(total=4, stream=stream, clock=lambda: next(seconds))

    bar.show(1)
    bar.show(4, ", 1 refused")

    first, second = stream.getvalue().split("\r")[1:]
    assert "[#######.......................] 1 of 4, 0:30 left\033[K" == first
    assert "[##############################] 4 of 4, 1 refused\033[K\n" == second


def test_a_log_gets_few_plain_lines() -> None:
    stream = io.StringIO()
    bar = Bar(total=1_000, stream=stream, clock=lambda: 0.0)

    for done in range(1, 1_001):
        bar.show(done)

    assert [f"{n} of 1000" for n in range(100, 1_001, 100)] == stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue()


def test_a_fault_is_told_with_its_lines() -> None:
    assert ("a", "b") == WrongInputError("a", "b").lines
