"""Stage maps: what a CRM's pipeline stages mean here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.domain.errors import FieldError, InvalidFieldsError

OUTCOMES: Final = ("open", "won", "lost")
MAX_STAGES: Final = 200
_MAX_TEXT: Final = 100
_KEYS: Final = frozenset({"pipeline", "stage", "rank", "milestone", "outcome"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a pipeline: its place in the order, what it reaches, how the deal stands."""

    stage: str
    rank: int
    outcome: str
    milestone: str = ""
    pipeline: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMap:
    """All stages that a source may report. A stage that is not listed parks the delivery."""

    stages: tuple[Stage, ...]

    def find(self, stage: str, pipeline: str = "") -> Stage | None:
        """Return the entry of a stage; one without a pipeline serves every pipeline."""
        general = None
        for entry in self.stages:
            if entry.stage != stage:
                continue
            if entry.pipeline == pipeline:
                return entry
            # A sender that names no pipeline means whichever has this stage.
            if not entry.pipeline or (not pipeline and general is None):
                general = entry
        return general

    def ladder(self) -> dict[str, int]:
        """Return the lowest rank at which each milestone is reached."""
        ranks: dict[str, int] = {}
        for entry in self.stages:
            if entry.milestone:
                ranks[entry.milestone] = min(entry.rank, ranks.get(entry.milestone, entry.rank))
        return ranks

    def rows(self) -> list[dict[str, Any]]:
        """Return the map as plain values, for storing."""
        return [
            {
                "stage": entry.stage,
                "rank": entry.rank,
                "outcome": entry.outcome,
                "milestone": entry.milestone,
                "pipeline": entry.pipeline,
            }
            for entry in self.stages
        ]


def stage_map(rows: Iterable[Mapping[str, Any]]) -> StageMap:
    """Build a map from stored rows."""
    return StageMap(stages=tuple(Stage(**row) for row in rows))


def parse_stage_map(value: object, path: str = "stage_map") -> StageMap:
    """Read a stage map from outside.

    Raises:
        InvalidFieldsError: naming every entry and field that is wrong.
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise InvalidFieldsError(
            [FieldError(path=path, code="required", message="must be a list of stages")]
        )
    if len(value) > MAX_STAGES:
        message = f"at most {MAX_STAGES} stages"
        raise InvalidFieldsError([FieldError(path=path, code="too_many", message=message)])
    errors: list[FieldError] = []
    stages: list[Stage] = []
    seen: set[tuple[str, str]] = set()
    for position, row in enumerate(value):
        where = f"{path}[{position}]"
        problems = _problems(row, where)
        errors += problems
        if problems:
            continue
        entry = Stage(
            stage=row["stage"],
            rank=row["rank"],
            outcome=row["outcome"],
            milestone=row.get("milestone") or "",
            pipeline=row.get("pipeline") or "",
        )
        if (entry.pipeline, entry.stage) in seen:
            errors.append(_error(f"{where}.stage", "duplicate", "this stage is listed twice"))
        seen.add((entry.pipeline, entry.stage))
        stages.append(entry)
    if errors:
        raise InvalidFieldsError(errors)
    return StageMap(stages=tuple(stages))


def _problems(row: object, where: str) -> list[FieldError]:
    if not isinstance(row, Mapping):
        return [_error(where, "wrong_type", "must be an object")]
    found = [
        _error(f"{where}.{key}", "unknown_field", "is not a field of a stage")
        for key in row
        if key not in _KEYS
    ]
    for key in ("stage", "milestone", "pipeline"):
        text = row.get(key)
        if text in (None, "") and key != "stage":
            continue
        if not isinstance(text, str) or not 0 < len(text) <= _MAX_TEXT:
            message = f"must be a text of 1 to {_MAX_TEXT} characters"
            found.append(_error(f"{where}.{key}", "wrong_type", message))
    rank = row.get("rank")
    if not isinstance(rank, int) or isinstance(rank, bool) or not 0 <= rank <= MAX_STAGES:
        message = f"must be a whole number from 0 to {MAX_STAGES}"
        found.append(_error(f"{where}.rank", "wrong_type", message))
    if row.get("outcome") not in OUTCOMES:
        message = "must be one of " + ", ".join(OUTCOMES)
        found.append(_error(f"{where}.outcome", "not_allowed", message))
    return found


def _error(path: str, code: str, message: str) -> FieldError:
    return FieldError(path=path, code=code, message=message)
