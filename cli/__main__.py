"""The operator's command line: ``python -m cli programs list`` and so on.

Address and key come from --url and --key-file, from GOODWORD_URL and GOODWORD_KEY, or from the
local cloud that runs in this folder. There is no option for the key itself: other users of the
machine can read command lines. Exit codes: 0 done; 1 refused, failed or broken off; 2 the command
or a file is wrong, and nothing was sent because of it.
"""

import argparse
import http.client
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cli import links, parked, partners, programs
from cli.access import management
from cli.output import Output
from cli.refusals import FAILED, WRONG, WrongInputError, words_of
from shared.adapters.management_api import ApiError, Management

Command = Callable[[Management, argparse.Namespace, Output], int]

MAX_LISTED = 10_000


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run a command and return the status for the shell."""
    asked = parser().parse_args(arguments)
    output = Output(as_json=asked.json)
    run: Command = asked.run
    known = os.environ if environ is None else environ
    try:
        return run(management(asked.url, asked.key_file, known), asked, output)
    except WrongInputError as error:
        words, status = error.lines, WRONG
    except ApiError as error:
        words, status = tuple(words_of(error.reply)), FAILED
    except (OSError, http.client.HTTPException) as error:
        words, status = (f"the API can't be reached: {type(error).__name__}",), FAILED
    except (KeyError, TypeError, ValueError):
        # A proxy or another product answered; what it said is not repeated.
        words, status = ("the server did not answer as the management API does",), FAILED
    except KeyboardInterrupt:
        words, status = ("broken off",), FAILED
    for line in words:
        output.note(line)
    return status


def parser() -> argparse.ArgumentParser:
    """Return the reader of all commands."""
    whole = argparse.ArgumentParser(
        prog="python -m cli",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--url", default="", help="address of the API")
    whole.add_argument("--key-file", default="", metavar="FILE", help="file of the key; - is stdin")
    whole.add_argument("--json", action="store_true", help="print JSON")
    groups = whole.add_subparsers(required=True, metavar="GROUP")
    _programs(groups.add_parser("programs", help="programmes"))
    _terms(groups.add_parser("terms", help="terms of a programme"))
    _partners(groups.add_parser("partners", help="partners and enrolments"))
    _links(groups.add_parser("links", help="short links"))
    _parked(groups.add_parser("parked", help="events and deliveries that were set aside"))
    return whole


def _commands(group: argparse.ArgumentParser) -> Callable[[str, Command], argparse.ArgumentParser]:
    commands = group.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Command) -> argparse.ArgumentParser:
        text = (run.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        # Also behind the command, where people write it.
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
        command.set_defaults(run=run)
        return command

    return add


def _programs(group: argparse.ArgumentParser) -> None:
    add = _commands(group)
    _limit(add("list", programs.show_all))
    add("show", programs.show).add_argument("program", type=_id)
    create = add("create", programs.create)
    create.add_argument("--name", required=True)
    create.add_argument("--currency", required=True, metavar="USD")
    create.add_argument("--id", type=_id)
    create.add_argument("--time-zone", metavar="Europe/Berlin")
    create.add_argument("--landing-host", action="append", metavar="HOST", help="may be repeated")
    create.add_argument("--fallback-url", metavar="URL")


def _terms(group: argparse.ArgumentParser) -> None:
    add = _commands(group)
    for name, run in (
        ("validate", programs.validate_terms),
        ("diff", programs.diff_terms),
        ("publish", programs.publish_terms),
    ):
        command = add(name, run)
        command.add_argument("program", type=_id)
        command.add_argument("file", type=Path, help="definition in YAML or JSON")
    show = add("show", programs.show_terms)
    show.add_argument("program", type=_id)
    show.add_argument("--version", type=_number(999_999))


def _partners(group: argparse.ArgumentParser) -> None:
    add = _commands(group)
    _limit(add("list", partners.show_all))
    create = add("create", partners.create)
    create.add_argument("--name", required=True)
    create.add_argument("--email", required=True)
    create.add_argument("--kind", default="referral_partner")
    create.add_argument("--country", default="", metavar="DE")
    enrol = add("enrol", partners.enrol)
    enrol.add_argument("partner", type=_id)
    enrol.add_argument("program", type=_id)
    enrol.add_argument("--tier", default="", metavar="gold")
    enrol.add_argument("--group", default="")
    enrol.add_argument("--cause", default="", help="who gets donations")


def _links(group: argparse.ArgumentParser) -> None:
    add = _commands(group)
    show = add("list", links.show_all)
    _limit(show)
    show.add_argument("--program", type=_id)
    show.add_argument("--partner", type=_id)
    create = add("create", links.create)
    create.add_argument("--partner", type=_id, required=True)
    create.add_argument("--program", type=_id, required=True)
    create.add_argument("--destination", required=True, metavar="URL")
    create.add_argument("--code")
    create.add_argument("--campaign")
    create.add_argument("--asset")
    create.add_argument("--expires-at", metavar="TIME")
    create.add_argument("--click-cap", type=_number(10**9))
    create.add_argument("--utm", action="append", type=_pair, default=[], metavar="utm_source=x")
    for name, run in (
        ("disable", links.disable),
        ("enable", links.enable),
        ("retire", links.retire),
    ):
        add(name, run).add_argument("code")
    qr = add("qr", links.qr)
    qr.add_argument("code")
    qr.add_argument("--out", type=Path, metavar="FILE", help="ends in .svg or .png")
    qr.add_argument("--size", type=_number(32), help="pixels per module")
    qr.add_argument("--error", choices=("L", "M", "Q", "H"), help="how much may be lost")
    qr.add_argument("--quiet-zone", type=_number(16), help="modules around it")
    load = add("import", links.load)
    load.add_argument("file", type=Path, metavar="FILE.csv")
    load.add_argument("--program", type=_id, help="for rows that name none")
    load.add_argument("--out", type=Path, metavar="FILE", help="codes and refusals, as CSV")
    load.add_argument("--dry-run", action="store_true", help="only check the file")


def _parked(group: argparse.ArgumentParser) -> None:
    add = _commands(group)
    _limit(add("events", parked.events))
    show = add("deliveries", parked.deliveries)
    _limit(show)
    show.add_argument("program", type=_id)
    redrive = add("redrive", parked.redrive)
    redrive.add_argument("--reason", metavar="not_handled")
    redrive.add_argument("--error", help="what the last try failed with")
    redrive.add_argument("--name", metavar="FactsChanged")
    redrive.add_argument("--program", type=_id)
    replay = add("replay", parked.replay)
    replay.add_argument("program", type=_id)
    replay.add_argument("--source", type=_id)
    replay.add_argument("--reason", metavar="unknown_stage")


def _limit(command: argparse.ArgumentParser) -> None:
    command.add_argument("--limit", type=_number(MAX_LISTED), default=100, help="at most so many")


def _number(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"must be 1 to {most}")
        return value

    return number


def _id(text: str) -> str:
    if not (text.isascii() and text.replace("_", "").replace("-", "").isalnum()):
        raise argparse.ArgumentTypeError("can't be an id")
    return text


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError("must be name=value")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
