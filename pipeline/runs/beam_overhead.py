"""Makes Beam's runner on this machine spend less on each step.

With few images, a component's CPU time is mostly what Beam does for each of its hundreds of
steps: half of it, before these changes (Beam 2.59).
"""

from __future__ import annotations

import bz2
import functools
import logging
import types
import weakref
from collections.abc import Callable
from typing import Any


def reduce_overhead() -> None:
    """Change Beam in this process; what its steps compute stays the same."""
    _inspect_each_class_once()
    _compress_functions_quickly()
    _pickle_what_is_empty_once()
    _hand_functions_over()
    _parse_options_once()
    _set_the_log_level_once()
    _read_side_inputs_without_a_cache()
    _batch_records_by_size()


def _inspect_each_class_once() -> None:
    """Remember which state and timers the classes of Beam's functions declare.

    For every step that is built, encoded or started, `userstate.get_dofn_specs` parses the
    signatures of all methods.
    """
    from apache_beam.transforms import userstate

    inspect = userstate.get_dofn_specs
    if hasattr(inspect, "__wrapped__"):
        return
    known: weakref.WeakKeyDictionary[type, Any] = weakref.WeakKeyDictionary()

    @functools.wraps(inspect)
    def remembered(dofn: Any) -> Any:
        # A method that the object itself holds, as that of `beam.Map(method)`, may declare more.
        if any(isinstance(each, types.MethodType) for each in vars(dofn).values()):
            return inspect(dofn)
        kind = type(dofn)
        if kind not in known:
            known[kind] = inspect(dofn)
        return known[kind]

    userstate.get_dofn_specs = remembered


def _compress_functions_quickly() -> None:
    """Compress pickled functions by blocks of 100 kB instead of 900 kB.

    They are a few kB, for which allocating the blocks takes longest. Any Beam reads them.
    """
    from apache_beam.internal import cloudpickle_pickler, dill_pickler

    quick = types.SimpleNamespace(
        compress=lambda data, compresslevel=1: bz2.compress(data, 1), decompress=bz2.decompress
    )
    for pickler in (cloudpickle_pickler, dill_pickler):
        if hasattr(pickler, "bz2"):
            pickler.bz2 = quick


def _pickle_what_is_empty_once() -> None:
    """Remember the pickled empty tuple and dictionary.

    They are the arguments of most steps' functions. Beam pickles and reads those of each step, to
    know that it can.
    """
    from apache_beam.internal import cloudpickle_pickler, dill_pickler

    for pickler in (cloudpickle_pickler, dill_pickler):
        if not hasattr(pickler.dumps, "__wrapped__"):
            pickler.dumps = _quick_if_empty(pickler.dumps)


def _quick_if_empty(dumps: Callable[..., bytes]) -> Callable[..., bytes]:
    known: dict[type, bytes] = {}

    @functools.wraps(dumps)
    def remembered(value: Any, *options: Any, **more: Any) -> bytes:
        kind = type(value)
        if kind not in (tuple, dict) or value or options or more.get("use_zlib"):
            return dumps(value, *options, **more)
        if kind not in known:
            known[kind] = dumps(value, **more)
        return known[kind]

    return remembered


class _Function(bytes):
    """A step's unpickled function with its arguments, in the place of pickled ones."""

    value: tuple[Any, ...]


def _hand_functions_over() -> None:
    """Let a step that starts take over its function, which Beam has unpickled for it alone.

    Beam adds the windowing and then pickles and unpickles the function once more.
    """
    from apache_beam.internal import pickler
    from apache_beam.runners.worker import bundle_processor

    unpickle = pickler.loads
    if hasattr(unpickle, "__wrapped__"):
        return

    @functools.wraps(unpickle)
    def loads(encoded: bytes, *options: Any, **more: Any) -> Any:
        if isinstance(encoded, _Function):
            return encoded.value
        return unpickle(encoded, *options, **more)

    def dumps(function: tuple[Any, ...]) -> bytes:
        handed_over = _Function()
        handed_over.value = function
        return handed_over

    pickler.loads = loads
    bundle_processor.pickler = types.SimpleNamespace(dumps=dumps, loads=loads)


def _parse_options_once() -> None:
    """Let all steps of a pipeline read its options from one parsed object for each class of them.

    For every step that is built, Beam makes two parsers of all options and parses the command line.
    """
    from apache_beam.options.pipeline_options import PipelineOptions

    view_as = PipelineOptions.view_as
    if hasattr(view_as, "__wrapped__"):
        return
    known: weakref.WeakKeyDictionary[Any, dict[type, Any]] = weakref.WeakKeyDictionary()

    @functools.wraps(view_as)
    def remembered(options: Any, kind: type) -> Any:
        views = known.setdefault(options, {})
        if kind not in views:
            views[kind] = view_as(options, kind)  # shares the values with `options`
        return views[kind]

    PipelineOptions.view_as = remembered


def _set_the_log_level_once() -> None:
    """Set the level of dill's log where it changes.

    Beam sets it after each pickled function, and each time Python clears what all loggers
    remember.
    """
    from apache_beam.internal import dill_pickler

    dill = getattr(dill_pickler.dill, "dill", None)  # the module of that name in the package
    if dill is None or not hasattr(dill, "_trace"):
        return
    log = logging.getLogger("dill")

    def trace(on: bool) -> None:
        level = logging.INFO if on else logging.WARNING
        if log.level != level:
            log.setLevel(level)

    dill._trace = trace


def _read_side_inputs_without_a_cache() -> None:
    """Let steps in this process read side inputs where they are: in its memory.

    To know a cached value's size, Beam walks through the globals of all modules.
    """
    from apache_beam.runners.portability.fn_api_runner import worker_handlers
    from apache_beam.runners.worker.statecache import StateCache

    # Of the worker in this process alone; other processes make their own.
    worker_handlers.StateCache = lambda _: StateCache(0)


def _batch_records_by_size() -> None:
    """Let TFX's components read batches of at most 20 MiB and 256 records.

    By default the first batch has one record, and batches grow until one takes a second: those of
    a small data set stay small, and those of large images may fill the memory
    (tensorflow/tfx#5777).
    """
    from absl import flags
    from tfx_bsl.coders import batch_util

    flag, most = "tfxio_use_byte_size_batching", "_BATCH_SIZE_CAP_WITH_BYTE_TARGET"
    # An experimental flag: without it, records are batched as before.
    if flag in flags.FLAGS and hasattr(batch_util, most):
        flags.FLAGS.set_default(flag, True)
        setattr(batch_util, most, 256)
