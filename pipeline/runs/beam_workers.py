"""A fix for data loss between Beam and its workers on this machine."""


def send_all_to_workers() -> None:
    """Keep Beam's DirectRunner from losing data that it sends to its worker processes.

    Once a second another of its threads flushes the buffer of a worker without a lock: whatever is
    written between its copy and its clearing is lost (`TimeBasedBufferingClosableOutputStream` in
    Beam 2.59 and 2.77). Data that take longer than a second to write lose megabytes, without an
    error. No option turns this off; without a time limit, data are sent when they are complete.
    """
    from apache_beam.runners.portability.fn_api_runner import worker_handlers

    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0
