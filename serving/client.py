"""Sends images to a served model over gRPC; needs no model file, TFX, TensorFlow or OpenCV."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from serving.answers import (
    Classification,
    Comparison,
    Embedding,
    classifications,
    comparisons,
    embeddings,
)
from serving.channel import Tls
from serving.connection import Connection
from serving.endpoint import Metadata
from serving.explanation import Explanation, explain_inputs, explanation, has_no_explain
from serving.file_batch import Answer, FileAnswer, FileBatch
from serving.occlusion import occluded, of_class, of_pair
from serving.query_image import ImageError, QueryImage, canonical_queries
from serving.serving_error import ServingError, is_refusal
from serving.streaming import batches, in_order

__all__ = ["FileAnswer", "ImageError", "QueryImage", "ServingError", "SiameseClient", "Tls"]

IN_A_REQUEST = 32
"""Images or pairs in a request."""

Outputs = Mapping[str, np.ndarray]


class SiameseClient(Connection):
    """Sends images to one model of a server; threads may share it.

    Arguments and errors are those of `serving.endpoint.Endpoint`. All methods take a `timeout`,
    seconds that an answer may take, in place of the connection's, and `metadata`, sent in addition
    to the connection's.

    Example:
        with SiameseClient("localhost:8500", "parts") as client:
            [answer] = client.classify(["photo.jpg"])
    """

    def compare(
        self,
        left: Sequence[QueryImage],
        right: Sequence[QueryImage],
        same_threshold: float | None = None,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> list[Comparison]:
        """Return whether the images of n pairs are of the same class.

        Args:
            left: n images.
            right: The n images to compare them with.
            same_threshold: Least similarity to be the same; default: the model's own.
            timeout: See the class.
            metadata: See the class.

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer.
            ValueError: `left` and `right` differ in length.
        """
        return [
            answer
            for part in pairs_in_parts(left, right)
            for answer in comparisons(
                *self._ask("serving_default", part, timeout, metadata), same_threshold
            )
        ]

    def classify(
        self,
        images: Sequence[QueryImage],
        known_threshold: float | None = None,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> list[Classification]:
        """Return the class of each of n images, and whether it is of any known class.

        Args:
            images: n images.
            known_threshold: Least score of a known class; default: the model's own.
            timeout: See the class.
            metadata: See the class.

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer.
        """
        return [
            answer
            for part in in_parts(images)
            for answer in classifications(
                self.predict("classify", part, timeout, metadata), known_threshold
            )
        ]

    def embed(
        self,
        images: Sequence[QueryImage],
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> list[Embedding]:
        """Return the embeddings of n images.

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer.
        """
        return [
            answer
            for part in in_parts(images)
            for answer in embeddings(self.predict("embed", part, timeout, metadata))
        ]

    def explain(
        self,
        image: QueryImage,
        other: QueryImage | None = None,
        label: str = "",
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> Explanation:
        """Return which places of an image speak for its class, or for another image.

        By the signature `explain`; for models without it by occlusion, with 65 questions.

        Args:
            image: The image.
            other: An image that it is compared with.
            label: The class, in place of the best one; not with `other`.
            timeout: See the class.
            metadata: See the class.

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer, an image cannot be used, or there is no such class.
        """
        inputs = explain_inputs(image, other, label)
        try:
            return explanation(self.predict("explain", inputs, timeout, metadata))
        except ServingError as e:
            if not has_no_explain(e):
                raise
        pictures = occluded(inputs["image"][0])
        if other is None:
            answers = self.classify(pictures, timeout=timeout, metadata=metadata)
            return of_class(pictures, answers, label)
        others = inputs["other"] * len(pictures)
        return of_pair(pictures, self.compare(pictures, others, timeout=timeout, metadata=metadata))

    def classify_files(
        self,
        files: Iterable[QueryImage],
        batch_size: int = 16,
        in_flight: int = 4,
        known_threshold: float | None = None,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> Iterator[FileAnswer[Classification]]:
        """Classify any number of files, in their order.

        Files are read as answers are taken, so that at most `batch_size * in_flight` are in
        memory. A file that cannot be used is reported in its place and does not affect the others;
        so is one that the server refuses.

        Args:
            files: Image files, or images of another kind.
            batch_size: Images in a request.
            in_flight: Requests that wait for their answer at the same time.
            known_threshold: Least score of a known class; default: the model's own.
            timeout: See the class.
            metadata: See the class.

        Raises:
            ServingError: There was no answer.
        """

        def ask(batch: list[QueryImage]) -> list[FileAnswer[Classification]]:
            def read(outputs: Outputs) -> list[Classification]:
                return classifications(outputs, known_threshold)

            return self._about("classify", FileBatch.read(batch), read, timeout, metadata)

        return itertools.chain.from_iterable(in_order(ask, batches(files, batch_size), in_flight))

    def embed_files(
        self,
        files: Iterable[QueryImage],
        batch_size: int = 16,
        in_flight: int = 4,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> Iterator[FileAnswer[Embedding]]:
        """Yield the embeddings of any number of files; arguments as those of `classify_files`."""

        def ask(batch: list[QueryImage]) -> list[FileAnswer[Embedding]]:
            return self._about("embed", FileBatch.read(batch), embeddings, timeout, metadata)

        return itertools.chain.from_iterable(in_order(ask, batches(files, batch_size), in_flight))

    def _about(
        self,
        signature: str,
        batch: FileBatch,
        read: Callable[[Outputs], list[Answer]],
        timeout: float | None,
        metadata: Metadata,
    ) -> list[FileAnswer[Answer]]:
        """Return an answer about each file of a batch."""
        if not batch.images:
            return batch.answers([])
        try:
            outputs, version = self._ask(signature, {"image": batch.images}, timeout, metadata)
        except ServingError as e:
            if not is_refusal(e):
                raise
            if len(alone := batch.apart()) == 1:
                return batch.refused(e)
            # Whichever it was: each by itself.
            return [
                answer
                for each in alone
                for answer in self._about(signature, each, read, timeout, metadata)
            ]
        return batch.answers(read(outputs), version)


def in_parts(images: Sequence[QueryImage]) -> list[dict[str, list[bytes]]]:
    """Return the inputs of requests: a server encodes all images of one at once."""
    return [{"image": part} for part in batches(canonical_queries(images), IN_A_REQUEST)]


def pairs_in_parts(
    left: Sequence[QueryImage], right: Sequence[QueryImage]
) -> list[dict[str, list[bytes]]]:
    """Return the inputs of requests about pairs."""
    if len(left) != len(right):
        raise ValueError(f"{len(left)} left images for {len(right)} right ones")
    pairs = list(zip(canonical_queries(left), canonical_queries(right), strict=True))
    return [
        {"left": [pair[0] for pair in part], "right": [pair[1] for pair in part]}
        for part in batches(pairs, IN_A_REQUEST)
    ]
