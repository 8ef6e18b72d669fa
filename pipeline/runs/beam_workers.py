"""What Beam sends to workers on this machine."""


def send_all_to_workers() -> None:
    """Keep Beam's DirectRunner from losing what it sends to its worker processes.

    Once a second another thread of it flushes what is being written to a worker, and holds no lock
    that the writer would know: whatever is written between its copy and its clearing is gone
    (`TimeBasedBufferingClosableOutputStream` in Beam 2.59 and 2.77). Data that take longer than a
    second to write lose whole megabytes, without an error. No option turns it off; without a time
    limit, data are sent when they are whole.
    """
    from apache_beam.runners.portability.fn_api_runner import worker_handlers

    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0
