"""What can be wrong with a model's or a training's settings; each message is for people."""


class BackboneError(ValueError):
    """A backbone that does not exist or cannot take the images."""


class WeightsError(ValueError):
    """Weights that cannot be had, or that belong to another architecture."""


class TrainingError(RuntimeError):
    """A training that cannot go on, such as a loss that is no longer a number."""
