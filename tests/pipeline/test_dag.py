from pipeline.config import parse


def test_beams_arguments_reach_every_step_that_uses_beam():
    from tfx.dsl.components.base.executor_spec import BeamExecutorSpec

    from pipeline.dag import create_pipeline

    arguments = ["--runner=FlinkRunner", "--flink_master=flink:8081"]
    config = parse({"name": "x", "data": {"root": "images"}, "beam": {"args": arguments}})
    found = {
        component.id: component.executor_spec.beam_pipeline_args
        for component in create_pipeline(config).components
        if isinstance(component.executor_spec, BeamExecutorSpec)
    }
    assert found == dict.fromkeys(
        ["ImageExampleGen", "StatisticsGen", "Transform", "PairGen", "Evaluator", "Judge"],
        arguments,
    )
