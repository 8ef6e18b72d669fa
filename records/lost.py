"""What is raised where records have vanished on their way from one step to the next."""

from base.errors import UserError


class RecordsLost(UserError):
    """A Beam runner has lost records without an error, which it must never do.

    DirectRunner did, with several processes and much data: see `pipeline.runs.beam_workers`.
    """


def records_lost(what: str) -> RecordsLost:
    """The error, to be raised.

    Args:
        what: A sentence that says what is missing, without its full stop.
    """
    return RecordsLost(
        f"{what}: Beam's runner has lost records. Run again with one process, or with another "
        "runner, in beam.args (docs/beam.md)"
    )
