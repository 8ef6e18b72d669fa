"""TFX's Pusher, which also writes into the pushed version where it comes from."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import ValidationError
from tfx import types
from tfx.components.pusher import executor as stock
from tfx.types import artifact_utils

from components.judge.judgement_files import read_judgement
from components.judge.lineage import JUDGEMENT, verdict_of
from storage.lineage import BLESSED, Lineage, Verdict, now, write_lineage

_LOG = logging.getLogger(__name__)

_Artifacts = dict[str, list[types.Artifact]]


class Executor(stock.Executor):
    """Pushes a blessed model, as the stock executor does, and adds its lineage."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Push the model if it is blessed; TFX calls this."""
        super().Do(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if pushed.get_int_custom_property("pushed"):
            blessing = artifact_utils.get_single_instance(input_dict["model_blessing"])
            write_lineage(
                pushed.get_string_custom_property("pushed_destination"), self._lineage(blessing)
            )

    def _lineage(self, blessing: types.Artifact) -> Lineage:
        info = self._context.pipeline_info if self._context else None
        run = self._context.pipeline_run_id if self._context else None
        return Lineage(
            made_by="run", pipeline=info.id if info else "", run=run or "", **_judged(blessing)
        )


def _judged(blessing: types.Artifact) -> dict[str, Any]:
    """Return what the Judge found, as fields of the lineage."""
    uri = blessing.get_string_custom_property(JUDGEMENT)
    try:
        judgement = read_judgement(uri)
    except (OSError, ValidationError) as e:  # the model is pushed, and was blessed
        _LOG.warning("%s: cannot be read for the lineage (%s)", uri or "the judgement", e)
        return {"verdict": Verdict(outcome=BLESSED, time=now())}
    classes = {one.label: one.support for one in judgement.classes}
    return {"classes": classes, "verdict": verdict_of(judgement, judgement.root)}
