"""Errors in the settings of a model or its training."""

from base.errors import UserError


class BackboneError(UserError):
    """A backbone that does not exist or does not accept the images."""


class WeightsError(UserError):
    """Weights that are not available, or that belong to another architecture."""


class TrainingError(UserError):
    """A training that cannot continue, for example because its loss is NaN."""


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, of at most 200 characters; or its type's name."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
