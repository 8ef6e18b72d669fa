"""The errors of a configuration: each names the key, the value, and what is valid."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

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
        valid = list(_section_at(parents, model).model_fields)
        close = difflib.get_close_matches(str(unknown), valid, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"{key}: unknown key; {hint}valid keys are {', '.join(valid)}"
    if error["type"] == "missing":
        return f"{key}: is required"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "model_type":
        message = f"takes keys: {', '.join(_section_at(location, model).model_fields)}"
    if error["input"] is None:
        message += "; got null"
        field = _section_at(location[:-1], model).model_fields.get(str(location[-1]))
        if field and not field.is_required():
            none = "`none`" in (field.description or "")
            message += f": {'write none, or ' * none}leave it out for the default"
    elif isinstance(error["input"], str | int | float | bool):
        message += f"; got {error['input']!r}"
    message = message[0].lower() + message[1:]
    return f"{key}: {message}" if key else message


def _section_at(location: Sequence[Any], section: type[Section]) -> type[Section]:
    for part in location:
        if part in section.model_fields:  # else an index of a list, or a key that users chose
            section = next(_sections_in(section.model_fields[part].annotation))
    return section


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    """Yield the sections that a type such as `tuple[Volume, ...] | None` contains."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections_in(argument)
