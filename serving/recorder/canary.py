"""Has the version with the label `canary` answer a share of the calls that name no version."""

from __future__ import annotations

import random
import time

import grpc

from serving.recorder.counts import Counts
from serving.version_labels import CANARY, STABLE
from serving.wire import serving_pb2 as wire

_RETRY_SECONDS = 5.0


class CanaryShare:
    """Chooses the label that answers a call.

    Args:
        share: Share of the calls that `canary` answers; `stable` answers the others. 0: calls are
            passed on as they come.
        counts: Count the calls of each label.
        draw: Draws them.
    """

    def __init__(self, share: float, counts: Counts, draw: random.Random) -> None:
        self._share, self._counts, self._draw = share, counts, draw
        self._absent: dict[tuple[str, str], float] = {}

    def label(self, model: str) -> str:
        """Return the label that answers a call of a model; empty: the call stays as it is."""
        if not self._share:
            return ""
        label = CANARY if self._draw.random() < self._share else STABLE
        if time.monotonic() < self._absent.get((model, label), 0.0):
            label = ""
        self._counts.labelled(label)
        return label

    def labelled(self, request: bytes) -> tuple[bytes, str, str]:
        """Return a `PredictRequest` with a label, the model and the label; empty if it stays."""
        if not self._share:
            return request, "", ""
        try:
            spec = wire.PredictRequest.FromString(request).model_spec
        except ValueError:
            return request, "", ""
        if spec.WhichOneof("version_choice") or not (label := self.label(spec.name)):
            return request, "", ""
        # Messages in a row merge: https://protobuf.dev/programming-guides/encoding/#last-one-wins
        extra = wire.PredictRequest(model_spec=wire.ModelSpec(version_label=label))
        return request + extra.SerializeToString(), spec.name, label

    def is_absent(self, model: str, label: str, code: grpc.StatusCode, details: str) -> bool:
        """Return whether a call failed since no version has the label, and remember it a while."""
        refused = code is grpc.StatusCode.INVALID_ARGUMENT and "version label" in details
        if not label or not (refused or code is grpc.StatusCode.NOT_FOUND):
            return False
        self._absent[model, label] = time.monotonic() + _RETRY_SECONDS
        return True
