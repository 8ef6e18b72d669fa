from pipeline.config.reading import parse
from storage.file_systems import absolute

STEPS = ["ImageExampleGen", "StatisticsGen", "Transform", "PairGen", "Evaluator", "Judge"]


def beam_arguments(**sections):
    """Those of each step that uses Beam."""
    from tfx.dsl.components.base.executor_spec import BeamExecutorSpec

    from pipeline.dag import create_pipeline

    config = parse({"name": "x", "data": {"root": "images"}, **sections})
    return {
        component.id: component.executor_spec.beam_pipeline_args
        for component in create_pipeline(config).components
        if isinstance(component.executor_spec, BeamExecutorSpec)
    }


def test_a_run_here_notices_a_changed_folder_of_unknown_images(tmp_path):
    from pipeline.dag import create_pipeline

    unknown = tmp_path / "unknown"
    unknown.mkdir()
    config = parse({"data": {"root": "images"}, "judge": {"unknown": str(unknown)}})
    seen = []
    for content in (b"a", b"a", b"b"):
        (unknown / "1.png").write_bytes(content)
        [judge] = [one for one in create_pipeline(config).components if one.id == "Judge"]
        seen.append(judge.exec_properties["unknown_files"])
    assert seen[0] == seen[1] != seen[2]
    assert all(seen)


def test_a_run_here_notices_a_changed_folder_of_unlabelled_images(tmp_path):
    from pipeline.dag import create_pipeline

    more = tmp_path / "more"
    more.mkdir()
    config = parse({"data": {"root": "images", "unlabelled": str(more)}})
    seen = []
    for content in (b"a", b"a", b"b"):
        (more / "1.png").write_bytes(content)
        [trainer] = [one for one in create_pipeline(config).components if one.id == "Trainer"]
        seen.append(trainer.exec_properties["custom_config"])
    assert str(more) in seen[0]
    assert seen[0] == seen[1] != seen[2]


def test_beams_arguments_reach_every_step_that_uses_beam():
    arguments = ["--runner=FlinkRunner", "--flink_master=flink:8081"]
    assert beam_arguments(beam={"args": arguments}) == dict.fromkeys(STEPS, arguments)


def test_tfx_does_not_pack_itself_where_all_workers_are_here(monkeypatch):
    from tfx.utils import dependency_utils

    monkeypatch.setattr(dependency_utils, "build_ephemeral_package", lambda: "packed.tar.gz")
    for sections, packed in (
        ({}, False),
        ({"beam": {"args": ["--direct_num_workers=2"]}}, False),
        ({"beam": {"args": ["--runner=FlinkRunner"]}}, True),
    ):
        for step, arguments in beam_arguments(**sections).items():
            made = dependency_utils.make_beam_dependency_flags(list(arguments))
            assert ("--extra_package=packed.tar.gz" in made) == packed, step


def test_without_a_server_to_check_the_pusher_still_waits_for_the_enrolled_classes():
    from pipeline.dag import create_pipeline

    config = parse({"data": {"root": "images"}, "push": {"infra_check": None}})
    components = {one.id: one for one in create_pipeline(config).components}
    check, pusher = components["InfraCheck"], components["Pusher"]
    assert check.exec_properties["engine"] == ""
    assert check.exec_properties["served"] == absolute(config.serving_root)
    assert pusher.inputs["infra_blessing"].producer_component is check
