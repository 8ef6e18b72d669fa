"""Replays recorded requests on a version that was just loaded, before it serves others."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.embedded.statuses import from_exception, invalid_argument

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
MOST_RECORDS = 1000


def warm_up(path: str, replay: Callable[[prediction_log_pb2.PredictionLog], None]) -> int:
    """Replay a SavedModel's recorded requests, if it has any.

    Args:
        path: Folder of the SavedModel.
        replay: Runs one request.

    Returns:
        Number of requests.

    Raises:
        Status: INVALID_ARGUMENT: there are too many, or one is unreadable or fails.
    """
    file = tf.io.gfile.join(path, WARMUP_FILE)
    if not tf.io.gfile.exists(file):
        return 0
    count = 0
    try:
        for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
            count += 1
            if count > MOST_RECORDS:
                raise invalid_argument(
                    f"Number of warmup records exceeds the maximum ({MOST_RECORDS})"
                )
            replay(prediction_log_pb2.PredictionLog.FromString(record))
    except Exception as e:
        number = min(count, MOST_RECORDS)
        raise invalid_argument(
            f"{WARMUP_FILE}: record {number} of {path}: {from_exception(e).message}"
        ) from e
    return count
