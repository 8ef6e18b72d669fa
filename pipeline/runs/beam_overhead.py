"""Makes Beam's runner on this machine inspect each kind of step once."""

from __future__ import annotations

import functools
import types
import weakref
from typing import Any


def inspect_each_class_once() -> None:
    """Remember which state and timers the classes of Beam's functions declare.

    For every step that is built, encoded or started, `userstate.get_dofn_specs` parses the
    signatures of all methods (Beam 2.59). With few images, this is a quarter of the CPU
    time that a component takes.
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
