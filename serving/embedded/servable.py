"""One loaded SavedModel.

It is run in a session, as TensorFlow Serving does, and not through `tf.saved_model.load`: so it
shows what would fail there, stops at a deadline, and gives its memory back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, rewriter_config_pb2

from serving.embedded.batching import Batcher, BatchQueue
from serving.embedded.deadline import Deadline
from serving.embedded.statuses import from_exception, invalid_argument
from serving.embedded.tensors import dtype_name

DEFAULT_SIGNATURE = "serving_default"

_NO_USE = (
    "loop_optimization",
    "shape_optimization",
    "implementation_selector",
    "dependency_optimization",
)
"""Optimizations of graphs, in TensorFlow's `RewriterConfig`."""

Arrays = Mapping[str, np.ndarray]


class Signature:
    """A function of the model, on named arrays.

    Args:
        definition: Its SignatureDef.
        session: Holds the model.
    """

    def __init__(
        self, definition: meta_graph_pb2.SignatureDef, session: tf.compat.v1.Session
    ) -> None:
        self.inputs: Mapping[str, meta_graph_pb2.TensorInfo] = definition.inputs
        self.outputs: Mapping[str, meta_graph_pb2.TensorInfo] = definition.outputs
        self._session = session
        self._queue: BatchQueue | None = None

    def batch_with(self, batcher: Batcher) -> None:
        """Answer requests in batches from now on."""
        self._queue = BatchQueue(batcher, self._run)

    def check(self, inputs: Arrays) -> None:
        """Check inputs, which TensorFlow Serving leaves to the model's operations in part.

        Args:
            inputs: An array for each of the signature's inputs, strings as object arrays.

        Raises:
            Status: INVALID_ARGUMENT: a dtype or shape differs.
        """
        for alias, array in inputs.items():
            info = self.inputs[alias]
            dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
            if dtype.as_datatype_enum != info.dtype:
                raise invalid_argument(
                    f"Expects input '{alias}' to be {dtype_name(info.dtype)} but "
                    f"{dtype_name(dtype.as_datatype_enum)} is provided"
                )
            expected = tf.TensorShape(info.tensor_shape)
            if not expected.is_compatible_with(array.shape):
                raise invalid_argument(
                    f"Expects input '{alias}' to have shape {expected} but shape "
                    f"{tuple(array.shape)} is provided"
                )

    def run(
        self, inputs: Arrays, deadline: Deadline, wanted: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Compute outputs, in a batch with other requests if `batch_with` was called.

        Args:
            inputs: Arrays that `check` lets pass, one for each input.
            deadline: When the computation is stopped.
            wanted: Names of outputs, which alone are computed; none: all.

        Returns:
            An array for each of these outputs, by name in alphabetical order.

        Raises:
            Status: DEADLINE_EXCEEDED. Or the model fails on the inputs, with TensorFlow's code and
                message. Or what `BatchQueue.run` raises.
        """
        names = tuple(sorted(wanted or self.outputs))
        if self._queue is not None:
            return self._queue.run(inputs, deadline, names)
        return self._run(inputs, deadline, names)

    def _run(self, inputs: Arrays, deadline: Deadline, names: Sequence[str]) -> dict:
        options = tf.compat.v1.RunOptions(timeout_in_ms=deadline.timeout_in_ms)
        feeds = {self.inputs[alias].name: array for alias, array in inputs.items()}
        try:
            values = self._session.run([self.outputs[n].name for n in names], feeds, options)
        except tf.errors.OpError as e:
            # The first error has the plain message; the second adds where the model was built.
            raise from_exception(e.__context__ or e) from e
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


class Servable:
    """A SavedModel in memory.

    Args:
        path: Folder with `saved_model.pb`.
        threads: Threads of one operation, and operations that run at once; 0 for all cores.

    Raises:
        tf.errors.OpError: TensorFlow can't load it.
        RuntimeError: It has no graph to serve.
        OSError: A file is missing or damaged.
    """

    def __init__(self, path: str, threads: int = 0) -> None:
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads,
            inter_op_parallelism_threads=threads,
            allow_soft_placement=True,
            gpu_options=tf.compat.v1.GPUOptions(allow_growth=True),
        )
        # These find nothing in an exported network, and take half of a model's start.
        rewriting = config.graph_options.rewrite_options
        rewriting.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
        rewriting.disable_tfg_optimizer = True
        rewriting.memory_optimization = rewriter_config_pb2.RewriterConfig.NO_MEM_OPT
        for name in _NO_USE:
            setattr(rewriting, name, rewriter_config_pb2.RewriterConfig.OFF)
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        try:
            with self._session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(self._session, ["serve"], path)
            self._session.graph.finalize()
            self.definitions = dict(meta_graph.signature_def)
            self.signatures = {
                name: Signature(definition, self._session)
                for name, definition in self.definitions.items()
                if _can_be_asked(name, definition)
            }
        except BaseException:
            self._session.close()
            raise

    def close(self) -> None:
        """Give the memory back; nothing may run any more."""
        self.signatures = {}
        self._session.close()
        del self._session


def _can_be_asked(name: str, definition: meta_graph_pb2.SignatureDef) -> bool:
    # The operation that initializes a model is listed among its signatures. What isn't one plain
    # tensor (sparse, ragged) has no name.
    infos = (*definition.inputs.values(), *definition.outputs.values())
    return not name.startswith("__saved_model") and all(info.name for info in infos)
