"""The errors of a configuration: each names the key, the value, and what is valid."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from base.errors import UserError
from base.settings import Section


class ConfigError(UserError):
    """A configuration that cannot be run."""


def explain(error: Mapping[str, Any], model: type[Section]) -> str:
    """Return one line that explains a validation error.

    Args:
        error: One of pydantic's `ValidationError.errors()`.
        model: The model that was validated.
    """
    location = [part for part in error["loc"] if not str(part).startswith("<")]  # a tag, no key
    key = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        *parents, unknown = location
        valid = _keys(_at(parents, model))
        close = difflib.get_close_matches(str(unknown), valid, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"{key}: unknown key; {hint}valid keys are {', '.join(valid)}"
    if error["type"] == "missing":
        return f"{key}: is required"
    message = error["msg"].removeprefix("Value error, ")
    at = _at(location, model)
    if error["type"] == "model_type":
        message = f"takes keys: {', '.join(_keys(at))}"
    if error["input"] is None:
        message += "; got null"
        if (field := at.field) and not field.is_required():
            none = "`none`" in (field.description or "")
            message += f": {'write none, or ' * none}leave it out for the default"
    elif isinstance(error["input"], str | int | float | bool):
        message += f"; got {error['input']!r}"
    message = message[0].lower() + message[1:]
    return f"{key}: {message}" if key else message


class _Place(NamedTuple):
    """What is at a location.

    Attributes:
        section: The section there; None: another value.
        field: Its field in the section above; None: it is in a list, or under a key of the user's.
    """

    section: type[Section] | None
    field: FieldInfo | None


def _keys(at: _Place) -> list[str]:
    return list(at.section.model_fields) if at.section else []


def _at(location: Sequence[Any], model: type[Section]) -> _Place:
    section: type[Section] | None = model
    field, of_each = None, None
    for part in location:
        if of_each:  # this is an index of a list, or a key that users chose
            section, field, of_each = of_each, None, None
        elif section is None or part not in section.model_fields:
            field = None
        else:
            field = section.model_fields[part]
            inside = next(_sections_in(field.annotation), None)
            section, of_each = (None, inside) if _holds_many(field.annotation) else (inside, None)
    return _Place(section, field)


def _holds_many(annotation: Any) -> bool:
    """Return whether a type such as `tuple[Volume, ...] | None` is a list or a mapping."""
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, Collection):
        return True
    return any(map(_holds_many, get_args(annotation)))


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    """Yield the sections that a type such as `tuple[Volume, ...] | None` contains."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections_in(argument)
