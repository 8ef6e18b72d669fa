"""What the server is asked again about an image after its answer: another version, embeddings.

Images of several calls are asked about together. Nothing of these answers reaches a client.
"""

from __future__ import annotations

import json
import random
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import grpc

from serving.channel import OPTIONS, Tls, credentials
from serving.endpoint import Response, calls
from serving.recorder.call import Call
from serving.recorder.counts import Counts
from serving.recorder.seen import Seen, text
from serving.wire import serving_pb2 as wire
from serving.wire.tensors import to_tensor

_BATCH = 8  # small: other calls wait for it
_SECONDS = 10.0
_REMEMBERED_SECONDS = 5.0
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Upstream:
    """Where the server is.

    Attributes:
        grpc: HOST:PORT.
        rest: HOST:PORT; None: REST is not passed on.
        tls: Of gRPC; None: not encrypted.
    """

    grpc: str
    rest: str | None = None
    tls: Tls | None = None


@dataclass(frozen=True)
class Shares:
    """Which images the server is asked about again.

    Attributes:
        shadow: A label or a version's number; None: no other version is asked.
        shadow_share: Share of the images that it is asked about.
        embeddings: Share of the images whose embedding is asked for.
    """

    shadow: str | None = None
    shadow_share: float = 1.0
    embeddings: float = 0.0


class FollowUps:
    """Asks the server again; for one thread.

    Args:
        upstream: The server.
        shares: What it is asked.
        counts: Count what fails.
        draw: Draws the images.
    """

    def __init__(
        self, upstream: Upstream, shares: Shares, counts: Counts, draw: random.Random
    ) -> None:
        self._upstream, self._shares, self._counts, self._draw = upstream, shares, counts, draw
        self._channel = (
            grpc.secure_channel(upstream.grpc, credentials(upstream.tls), OPTIONS)
            if upstream.tls
            else grpc.insecure_channel(upstream.grpc, OPTIONS)
        )
        self._predict, _ = calls(self._channel)
        self._versions: dict[tuple[str, str, str], tuple[float, int]] = {}

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def complete(self, seen: Sequence[Seen]) -> list[Seen]:
        """Return what was seen, with another version's answers and embeddings for the shares."""
        completed = list(seen)
        if self._shares.shadow is not None:
            for some in self._batches(completed, self._shares.shadow_share):
                self._compare(completed, some, self._shares.shadow)
        for some in self._batches(completed, self._shares.embeddings):
            self._embed(completed, some)
        return completed

    def version(self, call: Call) -> int:
        """Return the version that answered a call by REST; 0 if the server does not say it now."""
        assert call.rest is not None
        model, choice, value = call.rest[:3]
        if choice == "versions":
            return int(value)
        read_at, version = self._versions.get((model, choice, value), (0.0, 0))
        if time.monotonic() - read_at > _REMEMBERED_SECONDS:
            version = self._read_version(model, choice, value)
            self._versions[model, choice, value] = time.monotonic(), version
        return version

    def _read_version(self, model: str, choice: str, value: str) -> int:
        path = "/".join(
            urllib.parse.quote(each, safe="") for each in (model, choice, value) if each
        )
        url = f"http://{self._upstream.rest}/v1/models/{path}/metadata"
        try:
            with _opener.open(url, timeout=_SECONDS) as answer:
                return int(json.load(answer)["model_spec"]["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _batches(self, seen: Sequence[Seen], share: float) -> Iterator[list[int]]:
        """Yield the indices of drawn images, each time of one model and version."""
        groups = defaultdict(list)
        for i, (answer, _) in enumerate(seen):
            if answer.valid and self._draw.random() < share:
                groups[answer.model, answer.version].append(i)
        for some in groups.values():
            for start in range(0, len(some), _BATCH):
                yield some[start : start + _BATCH]

    def _compare(self, seen: list[Seen], some: list[int], shadow: str) -> None:
        spec = wire.ModelSpec(name=seen[some[0]].answer.model, signature_name="classify")
        if shadow.isdecimal():
            spec.version.value = int(shadow)
        else:
            spec.version_label = shadow
        response = self._ask(spec, [seen[i].image for i in some], "label", "shadow")
        if response is None or response.version is None:
            return
        for i, label in zip(some, response.outputs["label"], strict=True):
            answer, image = seen[i]
            if answer.version != response.version:
                answer = answer._replace(other_version=response.version, other_label=text(label))
                self._counts.compared(answer.label == answer.other_label)
                seen[i] = Seen(answer, image)

    def _embed(self, seen: list[Seen], some: list[int]) -> None:
        some = [i for i in some if seen[i].answer.embedding is None]
        if not some:
            return
        answer = seen[some[0]].answer
        spec = wire.ModelSpec(name=answer.model, signature_name="embed")
        if answer.version:
            spec.version.value = answer.version
        response = self._ask(spec, [seen[i].image for i in some], "embedding", "embedding")
        if response is not None:
            for i, vector in zip(some, response.outputs["embedding"], strict=True):
                seen[i] = seen[i]._replace(answer=seen[i].answer._replace(embedding=vector))

    def _ask(
        self, spec: wire.ModelSpec, images: list[bytes], output: str, kind: str
    ) -> Response | None:
        """Return an answer with an output for each image; None, and counted, if there is none."""
        request = wire.PredictRequest(model_spec=spec)
        request.inputs["image"].CopyFrom(to_tensor(images))
        try:
            response = Response.of(self._predict(request, timeout=_SECONDS))
        except (grpc.RpcError, TypeError, ValueError):
            response = None
        if response is None or len(response.outputs.get(output, ())) != len(images):
            self._counts.follow_up_failed(kind, len(images))
            return None
        return response
