"""Runs PairGen in this process, without a pipeline."""

import apache_beam as beam

from components.pair_gen.component import PairGen
from pipeline.config.sections import Beam


def run_pair_gen(examples, pairs, settings):
    """Make `pairs` of `examples`, both artifacts, by the component's `settings`."""
    spec = PairGen.EXECUTOR_SPEC
    context = spec.executor_class.Context(
        # Not by arguments: for these, TFX packs itself for workers elsewhere, which takes seconds.
        make_beam_pipeline_fn=lambda: beam.Pipeline(argv=list(Beam().args))
    )
    spec.executor_class(context).Do({"examples": [examples]}, {"pairs": [pairs]}, settings)
