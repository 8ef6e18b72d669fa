"""The error for records that a Beam runner has lost between two steps."""

from base.errors import UserError


class RecordsLost(UserError):
    """A Beam runner has lost records without reporting an error.

    The DirectRunner did, with several processes and much data: see `pipeline.runs.beam_workers`.
    """


def records_lost(what: str) -> RecordsLost:
    """Return the error to raise.

    Args:
        what: A sentence that says what is missing, without a full stop.
    """
    return RecordsLost(
        f"{what}: Beam's runner has lost records. Set one process, or another runner, in "
        "beam.args and run again (docs/beam.md)"
    )
