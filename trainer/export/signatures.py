"""The served signatures: everything that clients of the exported model can call.

`ServedModel` has a method for each and joins the trained network, its preprocessing and its support
set into one SavedModel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from judging.thresholds import CalibratedThresholds
from records import features
from trainer.export.constants import to_constants
from trainer.export.explanation import NO_SUCH_CLASS, encoded_as_png, explain
from trainer.export.place_values import Encoded, PlaceValues, encoding
from trainer.export.safe_pixels import SafePixels, safe_pixels
from trainer.export.support_set import SupportSet
from trainer.export.threshold_variables import ThresholdVariables
from trainer.network.encoder_parts import encoder_parts
from trainer.network.frozen_siamese import FrozenSiamese
from trainer.network.siamese import Siamese
from trainer.settings import Size, pixel_shape
from trainer.training.input import decode_pngs

EXPLAIN = "explain"
"""The signature that is not warmed up, and that not every model has."""

_AT_ONCE = 32
"""Images that `evaluate` encodes at once."""

_STRINGS = tf.TensorSpec([None], tf.string)


def _graph(*specs: tf.TensorSpec) -> Callable[..., Any]:
    """Return a decorator that makes a graph function of arguments of these `specs`."""
    # No function has control flow of Python's, whose conversion takes seconds.
    return tf.function(input_signature=specs, autograph=False)


class ServedModel(tf.Module):
    """The exported model: encoded images in, answers out.

    Signatures, all on batches; images are JPEG, PNG, BMP or GIF of any size. All that take images
    answer `valid` bool [n], and `reason` string [n], why one is not (`images.in_graph.header`):
        serving_default: `left`, `right` string [n] to `similarity` float32 [n] in [0, 1], `same`
            bool [n] by the calibrated threshold. The `reason` is that of the left image, if any.
        embed: `image` string [n] to `embedding` float32 [n, d].
        classify: `image` string [n] to `classes` string [n, c] of the support set, best first;
            `scores` float32 [n, c] in [-1, 1] and `probabilities` float32 [n, c], which add up to
            1 among the known classes (`judging.probabilities`), in the same order; `label` string
            [n], the best class; `known` bool [n], whether the image is of a known class by the
            calibrated threshold; `nearest` string [n, k], files of the nearest support images.
        classify_at: `classify` with `known_threshold` float32 [n] instead of the calibrated one.
        explain: `image` string [n]; `other` string [n], an image to compare it with, or empty;
            `label` string [n], if not, a class, or empty for the best one. Answers `map` float32
            [n, rows, columns], which places of the image speak for the other one or the class
            (positive) or against: its mean is `score` float32 [n], the cosine of both embeddings,
            or the class's score; `other_map`, the same of the other image; `label` string [n], the
            class, empty for pairs; `picture_bytes` and `other_picture_bytes` string [n], PNG of
            what the network sees. Only models whose cosine is a sum over places have it
            (`trainer.network.encoder_parts`); it is not warmed up.
        evaluate: `examples`, string [n] of serialized plain pairs, to `similarity` float32 [n] and
            `same` float32 [n], 1 or 0.

    For `siamese export`, the SavedModel also has `body(pixels)`, from pixels float32 [1, height,
    width, 3] of one image to the feature maps [views, rows, columns, c], and `head(maps)` to the
    embedding float32 [1, d]; a model without feature maps has a body to the embedding alone.

    For the Judge, the SavedModel also has `support`, `thresholds()` and `similarity(left, right)`,
    and the variable `training_keys`, so that the model is not judged on images that it was trained
    on.

    An image that is too large or cannot be decoded is not `valid`: its numbers are NaN, its
    booleans false and its other strings empty. The other images of its batch are not affected.
    Files need not be canonical (`images.canonical`): they give the same answer, or are not valid.

    Args:
        model: The trained network.
        preprocess: Encoded images, string [n], to serialized pixels, string [n]: Transform's graph.
        image_size: Height and width in pixels.
        max_pixels: Height times width of the largest image that is decoded.
        support: The support set of `classify`.
        thresholds: For `same` and `known`, and the temperature of `probabilities`.
        training_keys: int64 [m], of the training images (`records.training_keys`).
    """

    def __init__(
        self,
        model: Siamese | FrozenSiamese,
        preprocess: Callable[[tf.Tensor], tf.Tensor],
        image_size: Size,
        max_pixels: int,
        support: SupportSet,
        thresholds: CalibratedThresholds,
        training_keys: np.ndarray,
    ) -> None:
        super().__init__(name="siamese")
        pixels = tf.TensorSpec([None, *pixel_shape(image_size)], tf.float32)
        embedding = tf.TensorSpec([None, model.encoder.output_shape[-1]], tf.float32)
        parts = encoder_parts(model)
        self._place_values = PlaceValues(parts) if parts else None
        # Graph functions of a module are saved, whether they are signatures or not.
        self.explain = _graph(_STRINGS, _STRINGS, _STRINGS)(self._explain) if parts else None
        self._encoder = to_constants(encoding(model, parts), model.encoder.weights, pixels)
        of_one = tf.TensorSpec([1, *pixel_shape(image_size)], tf.float32)
        self.body = _graph(of_one)(self._body)
        self.head = _graph(self._spec_of_maps())(self._head) if parts else None
        head = getattr(model, "head", None)
        self._similarity = to_constants(
            lambda left, right: model.similarity(left, right),
            head.weights if head else [],
            embedding,
            embedding,
        )
        # Not the whole network, which would save the optimizer's state too.
        self._variables = [*self._encoder.variables, *self._similarity.variables]
        self._preprocess = preprocess
        self._image_size, self._max_pixels = image_size, max_pixels
        self.support = support  # public: `replace` adds classes to a loaded model
        # Of any length: added classes add keys.
        self.training_keys = tf.Variable(
            training_keys, trainable=False, dtype=tf.int64, shape=[None]
        )
        self.threshold_variables = ThresholdVariables(thresholds)  # public, as `support`
        self._temperature = thresholds.temperature

    def save(self, directory: str) -> None:
        """Write the SavedModel into `directory`."""
        # Functions, not their traces: in the context of saving, each would be traced once more.
        signatures = {
            "serving_default": self.compare,
            "embed": self.embed,
            "classify": self.classify,
            "classify_at": self.classify_at,
            "evaluate": self.evaluate,
            **({EXPLAIN: self.explain} if self.explain else {}),
        }
        tf.saved_model.save(self, directory, signatures=signatures)

    @_graph(_STRINGS, _STRINGS)
    def compare(self, left: tf.Tensor, right: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `serving_default` signature."""
        # Sides of different lengths would be split in the wrong place below.
        with tf.control_dependencies([tf.debugging.assert_equal(tf.size(left), tf.size(right))]):
            both = tf.concat([left, right], axis=0)
        # One encoder pass over both sides keeps the batch large.
        embeddings, valid, reason = self._encode(both)
        both_valid = tf.reduce_all(tf.split(valid, 2), axis=0)
        left_reason, right_reason = tf.split(reason, 2)
        similarity = _only(both_valid, self._similarity(*tf.split(embeddings, 2)))
        return {
            "similarity": similarity,
            "same": self._same(similarity),
            "valid": both_valid,
            "reason": tf.where(left_reason == "", right_reason, left_reason),
        }

    @_graph(_STRINGS)
    def embed(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `embed` signature."""
        embeddings, valid, reason = self._encode(image)
        return {"embedding": _only(valid, embeddings), "valid": valid, "reason": reason}

    @_graph(_STRINGS)
    def classify(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `classify` signature."""
        return self._classify(image, self.threshold_variables.known)

    @_graph(_STRINGS, tf.TensorSpec([None], tf.float32))
    def classify_at(self, image: tf.Tensor, known_threshold: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `classify_at` signature."""
        return self._classify(image, known_threshold)

    def _classify(self, image: tf.Tensor, threshold: tf.Tensor | float) -> dict[str, tf.Tensor]:
        embeddings, valid, reason = self._encode(image)
        answer = {k: _only(valid, v) for k, v in self.support.classify(embeddings).items()}
        return {
            **answer,
            "probabilities": tf.nn.softmax(answer["scores"] / self._temperature),
            "label": answer["classes"][:, 0],
            "known": answer["scores"][:, 0] >= threshold,
            "valid": valid,
            "reason": reason,
        }

    def _explain(
        self, image: tf.Tensor, other: tf.Tensor, label: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """The `explain` signature."""
        assert self._place_values
        count = tf.size(image)
        checks = [tf.debugging.assert_equal(tf.size(each), count) for each in (other, label)]
        with tf.control_dependencies(checks):
            paired = other != ""
        both = tf.concat([image, tf.boolean_mask(other, paired)], axis=0)
        encoded, pixels = self._encode_in_parts(both)
        first, rest = slice(None, count), slice(count, None)
        answer = explain(
            self._place_values, self.support, encoded.rows(first), encoded.rows(rest), paired, label
        )
        valid, reason = pixels.valid[first], pixels.reason[first]
        places = tf.where(paired)
        other_valid = tf.tensor_scatter_nd_update(tf.ones_like(valid), places, pixels.valid[rest])
        other_reason = tf.tensor_scatter_nd_update(label, places, pixels.reason[rest])
        is_class = paired | tf.math.is_finite(answer["score"])
        reason = tf.where(valid & ~other_valid, other_reason, reason)
        reason = tf.where(valid & ~is_class, NO_SUCH_CLASS, reason)
        valid &= other_valid & is_class
        pictures = encoded_as_png(pixels.pixels)
        others = tf.tensor_scatter_nd_update(tf.zeros_like(image), places, pictures[rest])
        return {
            **{name: _only(valid, value) for name, value in answer.items()},
            "picture_bytes": _only(valid, pictures[first]),
            "other_picture_bytes": _only(valid, others),
            "valid": valid,
            "reason": reason,
        }

    @_graph(_STRINGS)
    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `evaluate` signature, on plain pairs of images that are already transformed."""
        pair = {features.IMAGE: tf.io.FixedLenFeature([2], tf.string)}
        sides = tf.io.parse_example(examples, pair)[features.IMAGE]
        # An image is in many pairs, and is encoded once for all of a batch.
        images, places = tf.unique(tf.reshape(sides, [-1]))
        embeddings = tf.gather(self._encode_pngs(images), tf.reshape(places, [-1, 2]))
        similarity = self._similarity(embeddings[:, 0], embeddings[:, 1])
        # TFMA expects numbers.
        return {"similarity": similarity, "same": tf.cast(self._same(similarity), tf.float32)}

    def _encode_pngs(self, images: tf.Tensor) -> tf.Tensor:
        """Return embeddings float32 [n, d] of PNGs, string [n]; a few at once, to save memory."""

        def encode(start: tf.Tensor) -> tf.Tensor:
            pixels = decode_pngs(images[start : start + _AT_ONCE], self._image_size)
            return self._encoder(tf.cast(pixels, tf.float32)).embedding

        size = self.support.embeddings.shape[1]
        parts = tf.map_fn(
            encode,
            tf.range(0, tf.size(images), _AT_ONCE),
            parallel_iterations=1,
            fn_output_signature=tf.RaggedTensorSpec([None, size], tf.float32, ragged_rank=0),
        )
        # Not ensure_shape: of no images, map_fn makes [0].
        return tf.reshape(parts.values, [-1, size])

    @_graph()
    def thresholds(self) -> dict[str, tf.Tensor]:
        """Return the smallest values for `same` and `known` to be true: float32 []."""
        limits = self.threshold_variables
        return {"same": tf.identity(limits.same), "known": tf.identity(limits.known)}

    @_graph(*[tf.TensorSpec([None, None], tf.float32)] * 2)
    def similarity(self, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Return similarities float32 [n] of embeddings [n, d] of two sides."""
        size = self.support.embeddings.shape[1]
        return self._similarity(*(tf.ensure_shape(side, [None, size]) for side in (left, right)))

    def _body(self, pixels: tf.Tensor) -> tf.Tensor:
        encoded = self._encoder(pixels)
        return tf.concat(encoded.maps, axis=0) if encoded.maps else encoded.embedding

    def _spec_of_maps(self) -> tf.TensorSpec:
        maps = self._encoder.outputs.maps
        return tf.TensorSpec([len(maps), *maps[0].shape[1:]], tf.float32)

    def _head(self, maps: tf.Tensor) -> tf.Tensor:
        assert self._place_values
        # Only its kernels and biases are read; TensorFlow does not run the rest.
        encoded = self._encoder(tf.zeros([1, *pixel_shape(self._image_size)]))
        views = tf.split(maps, len(encoded.maps))
        return self._place_values.embedding(encoded._replace(maps=views))

    def _same(self, similarity: tf.Tensor) -> tf.Tensor:
        return similarity >= self.threshold_variables.same

    def _encode(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Embeddings float32 [n, d], which are of valid images, bool [n], and `reason`."""
        encoded, (_, valid, reason) = self._encode_in_parts(images)
        return encoded.embedding, valid, reason

    # A function of its own: traced and saved once, not once for each signature.
    @_graph(_STRINGS)
    def _encode_in_parts(self, images: tf.Tensor) -> tuple[Encoded, SafePixels]:
        """All that the encoder returns, and what it was made of."""
        pixels = safe_pixels(images, self._preprocess, self._image_size, self._max_pixels)
        return self._encoder(tf.cast(pixels.pixels, tf.float32)), pixels


def _only(valid: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
    """`answers` [n, ...] with NaN, or the empty string, where they are not valid."""
    nothing = tf.constant("" if answers.dtype == tf.string else float("nan"), answers.dtype)
    rows = tf.reshape(valid, [-1, *[1] * (len(answers.shape) - 1)])
    return tf.where(rows, answers, nothing)
