"""One loaded SavedModel.

It is run in a session, as TensorFlow Serving does, and not through `tf.saved_model.load`: so it
shows what would fail there, knows the signatures of all kinds, and gives its memory back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from serving.embedded.batching import Batcher, BatchQueue
from serving.embedded.constants import to_constants
from serving.embedded.deadline import Deadline
from serving.embedded.statuses import from_exception, invalid_argument, unimplemented
from serving.embedded.tensors import dtype_name

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class LoadSettings:
    """How SavedModels are loaded.

    Attributes:
        tags: Tags of the SavedModel's graph.
        variables_as_constants: Whether variables may be turned into constants.
        intra_op_threads: Threads of one operation; 0 for all cores.
        inter_op_threads: Operations that run at once; 0 for all cores.
        gpu_memory_fraction: Share of a GPU's memory to take at once; 0 takes it as needed.
    """

    tags: tuple[str, ...] = ("serve",)
    variables_as_constants: bool = True
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    gpu_memory_fraction: float = 0.0


class Signature:
    """A function of the model, on named arrays.

    Args:
        name: Its key in the SavedModel.
        definition: Its SignatureDef.
        session: Holds the model.
    """

    def __init__(
        self,
        name: str,
        definition: meta_graph_pb2.SignatureDef,
        session: tf.compat.v1.Session,
    ) -> None:
        self.name = name
        self.definition = definition
        self.inputs: Mapping[str, meta_graph_pb2.TensorInfo] = definition.inputs
        self.outputs: Mapping[str, meta_graph_pb2.TensorInfo] = definition.outputs
        self.queue: BatchQueue | None = None
        self._session = session
        # Whatever isn't one plain tensor (sparse, ragged) has no name.
        self._plain = all(info.name for info in (*self.inputs.values(), *self.outputs.values()))
        self._feeds = [self.inputs[alias].name for alias in sorted(self.inputs)]
        self._fetches = [self.outputs[alias].name for alias in sorted(self.outputs)]

    @property
    def batchable(self) -> bool:
        """Whether every tensor's first dimension is that of a batch, of any size."""
        infos = [*self.inputs.values(), *self.outputs.values()]
        shapes = [info.tensor_shape for info in infos]
        return bool(self.inputs and self.outputs) and all(
            not shape.unknown_rank and shape.dim and shape.dim[0].size == -1 for shape in shapes
        )

    def check(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Check inputs, so that those of one request can't harm a batch.

        Args:
            inputs: An array for each of the signature's inputs, bytes as object arrays.

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

    def answer(self, inputs: Mapping[str, np.ndarray], deadline: Deadline) -> dict[str, np.ndarray]:
        """Compute all outputs, in a batch with other requests if `queue` is set.

        Args:
            inputs: Arrays that `check` lets pass, one for each input.
            deadline: When the answer is of no more use.

        Raises:
            Status: What `run` and `BatchQueue.run` raise; DEADLINE_EXCEEDED.
        """
        if self.queue is not None:
            return self.queue.run(inputs, deadline)
        deadline.check()
        return self.run(inputs)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute all outputs.

        Args:
            inputs: Arrays that `check` lets pass, one for each input.

        Returns:
            An array for each output.

        Raises:
            Status: UNIMPLEMENTED: the signature has sparse or other composite tensors. Or the
                model fails on the inputs, with TensorFlow's code and message.
        """
        if not self._plain:
            raise unimplemented(
                f"Signature '{self.name}' has sparse or other composite tensors, which can't be "
                "sent in a request."
            )
        feeds = {
            name: inputs[alias] for name, alias in zip(self._feeds, sorted(inputs), strict=True)
        }
        try:
            values = self._session.run(self._fetches, feeds)
        except tf.errors.OpError as e:
            # The first error has the plain message; the second adds where the model was built.
            raise from_exception(e.__context__ or e) from e
        return {
            alias: np.asarray(value)
            for alias, value in zip(sorted(self.outputs), values, strict=True)
        }


class Servable:
    """A SavedModel in memory.

    Args:
        path: Folder with `saved_model.pb`.
        settings: How it is loaded.

    Raises:
        Status: FAILED_PRECONDITION: a signature reads a variable that the checkpoint lacks.
        tf.errors.OpError: TensorFlow can't load it.
        RuntimeError: It has no graph with those tags.
        OSError: A file is missing or damaged.
    """

    def __init__(self, path: str, settings: LoadSettings) -> None:
        self.path = path
        options = tf.compat.v1.GPUOptions(
            allow_growth=not settings.gpu_memory_fraction,
            per_process_gpu_memory_fraction=settings.gpu_memory_fraction,
        )
        self._config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=settings.intra_op_threads,
            inter_op_parallelism_threads=settings.inter_op_threads,
            allow_soft_placement=True,
            gpu_options=options,
        )
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=self._config)
        try:
            with self._session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(self._session, settings.tags, path)
            definitions = dict(meta_graph.signature_def)
            # The operation that initializes a model is listed among its signatures.
            self.definitions = {
                name: definition
                for name, definition in definitions.items()
                if not name.startswith("__saved_model")
            }
            if settings.variables_as_constants:
                self._make_constant()
            self._session.graph.finalize()
            self.signatures = {
                name: Signature(name, definition, self._session)
                for name, definition in self.definitions.items()
            }
        except BaseException:
            self._session.close()
            raise

    def batch_with(self, batcher: Batcher) -> None:
        """Answer the signatures that can be batched in batches from now on."""
        for signature in self.signatures.values():
            if signature.batchable:
                signature.queue = BatchQueue(batcher, signature.run)

    def close(self) -> None:
        """Give the memory back; nothing may run any more."""
        self.signatures = {}
        self._session.close()
        del self._session

    def _make_constant(self) -> None:
        inputs = _names([definition.inputs for definition in self.definitions.values()])
        outputs = _names([definition.outputs for definition in self.definitions.values()])
        if not outputs:
            return
        graph = to_constants(self._session, inputs, outputs)
        if graph is None:
            return
        self._session.close()
        self._session = tf.compat.v1.Session(graph=graph, config=self._config)


def _names(tensors: Sequence[Mapping[str, meta_graph_pb2.TensorInfo]]) -> list[str]:
    return sorted({info.name for each in tensors for info in each.values() if info.name})
