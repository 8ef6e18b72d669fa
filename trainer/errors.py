"""What can be wrong with a model's or a training's settings; each message is for people."""

from base.errors import UserError


class BackboneError(UserError):
    """A backbone that does not exist or cannot take the images."""


class WeightsError(UserError):
    """Weights that cannot be had, or that belong to another architecture."""


class TrainingError(UserError):
    """A training that cannot go on, such as a loss that is no longer a number."""
