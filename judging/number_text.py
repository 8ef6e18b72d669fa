"""Numbers as people read them: no more digits than hundreds of images support."""


def number(value: float) -> str:
    """Return a metric or a score with three decimals."""
    return f"{value:.3f}"


def signed(value: float) -> str:
    """Return a difference of metrics with its sign and three decimals."""
    return f"{value:+.3f}"
