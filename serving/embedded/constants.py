"""Turns a loaded model's variables into constants, so that TensorFlow can fold and fuse them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import tensorflow as tf

from serving.embedded.statuses import failed_precondition

log = logging.getLogger(__name__)

# A graph is a proto, which holds 2 GB at most; and a large model must not be in memory twice.
_MOST_BYTES = 2**30
# Operations that change a variable while a signature runs.
_WRITERS = ("Assign", "ResourceScatter", "ResourceApply", "ResourceSparseApply", "ResourceStrided")


def to_constants(
    session: tf.compat.v1.Session, inputs: Sequence[str], outputs: Sequence[str]
) -> tf.Graph | None:
    """Return the part of a graph that the signatures use, with constants for its variables.

    Args:
        session: Holds the model, with its variables restored.
        inputs: Tensors that are fed, such as `serving_default_x:0`.
        outputs: Tensors that are fetched.

    Returns:
        The graph, in which those tensors keep their names; None if the model must stay as it is,
        since a signature changes a variable, uses tables, or the variables are too large.

    Raises:
        Status: FAILED_PRECONDITION: a signature reads a variable that was never restored.
    """
    ends = sorted({tensor.split(":")[0] for tensor in (*inputs, *outputs)})
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(session.graph.as_graph_def(), ends)
    if any(op.startswith(_WRITERS) for op in _operations(graph_def)):
        return None
    operations = [session.graph.get_operation_by_name(node.name) for node in graph_def.node]
    variables = [each for each in operations if each.type == "VarHandleOp"]
    _check_restored(session, variables)
    # Tables and the like exist in this session alone.
    if any(
        output.dtype in (tf.resource, tf.variant)
        for operation in operations
        if operation.type != "VarHandleOp"
        for output in operation.outputs
    ):
        return None
    if _bytes(session, variables) > _MOST_BYTES:
        return None
    try:
        converted = tf.compat.v1.graph_util.convert_variables_to_constants(session, graph_def, ends)
        graph = tf.Graph()
        with graph.as_default():
            tf.compat.v1.import_graph_def(converted, name="")
        return graph
    except Exception as e:  # such as tf.gather in a function, which is left as it was
        log.info("Served with variables: they can't be made constants (%s)", e)
        return None


def _check_restored(session: tf.compat.v1.Session, handles: Sequence[tf.Operation]) -> None:
    with session.graph.as_default():
        checks = [tf.raw_ops.VarIsInitializedOp(resource=handle.outputs[0]) for handle in handles]
    for handle, restored in zip(handles, session.run(checks), strict=True):
        if not restored:
            raise failed_precondition(
                f"Variable {handle.name} isn't restored from the checkpoint, though a signature "
                "reads it; TensorFlow Serving would fail each request. The export tracks a Keras "
                "variable but not the tf.Variable in it: use model.export(), or keep "
                "[v.value for v in model.variables] on the module that is saved."
            )


def _operations(graph_def: tf.compat.v1.GraphDef) -> Iterator[str]:
    """Yield the types of the operations in a graph and in the functions that it calls."""
    functions = {function.signature.name: function for function in graph_def.library.function}
    seen: set[str] = set()
    pending = [graph_def.node]
    while pending:
        for node in pending.pop():
            yield node.op
            called = {node.op}
            for value in node.attr.values():
                called.add(value.func.name)
                called.update(function.name for function in value.list.func)
            for name in called & functions.keys() - seen:
                seen.add(name)
                pending.append(functions[name].node_def)


def _bytes(session: tf.compat.v1.Session, handles: Sequence[tf.Operation]) -> int:
    """Return the size of the variables' values; in the graph their shapes may be unknown."""
    sizes = []
    with session.graph.as_default():
        for handle in handles:
            dtype = handle.get_attr("dtype")
            value = tf.raw_ops.ReadVariableOp(resource=handle.outputs[0], dtype=dtype)
            if dtype == tf.string:
                sizes.append(tf.reduce_sum(tf.cast(tf.strings.length(value), tf.int64)))
            else:
                sizes.append(tf.size(value, out_type=tf.int64) * dtype.size)
    return sum(session.run(sizes))
