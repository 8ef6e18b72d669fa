"""Exports a served model for devices, and judges the result on the same images as the model."""

from __future__ import annotations

import io
import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from base.errors import UserError
from components.judge.edge_model import EdgeModel, cosine_calibration
from components.judge.exported_model import JudgedModel
from components.judge.labelled_folder import judge_folder, load_model
from images.canonical import UnusableImage
from images.reading import read_image
from judging.classifier import Support
from judging.comparison import JudgementComparison, Metric, compare_judgements
from judging.judge import Judged
from judging.views import CANDIDATE
from pipeline.config.run_config import RunConfig
from pipeline.gate.labelled_folder import folder_settings
from serving.edge import classify
from serving.edge.folder import Fitting, write_arrays, write_networks

Format = Literal["litert", "keras", "onnx"]

_REPRESENTATIVE = 200
"""Images that ranges of 8-bit integers are found in, at most."""


class NotEqual(UserError):
    """An export that is worse than the model by more than is allowed."""

    exit_code = 3


class Wanted(NamedTuple):
    """What is exported.

    Attributes:
        model: Folder of the served model, or of its versions.
        format: Of the networks.
        int8: Whether to compute in 8-bit integers.
        encoder: The trained encoder as a Keras file, for the format `keras`.
        images: Labelled images to judge on.
        data: The folder that the names of the support images are relative to; None: unknown.
        config: Of the run that trained the model.
        allowed_loss: Greatest loss of class accuracy.
        output: The folder to write.
    """

    model: Path
    format: Format
    int8: bool
    encoder: Path | None
    images: Path
    data: Path | None
    config: RunConfig
    allowed_loss: float
    output: Path


class Exported(NamedTuple):
    """What was exported.

    Attributes:
        files: Sizes in bytes by name.
        images: Number of images that both were judged on.
        agreeing: Number of these that are given the same class.
        accuracy: Class accuracy of the served model and of the export, and the difference.
    """

    files: dict[str, int]
    images: int
    agreeing: int
    accuracy: Metric


def export(wanted: Wanted, progress: Callable[[str], None]) -> Exported:
    """Write the export of a model, if it judges the images as well as the model does.

    Raises:
        NotEqual: It does not; nothing is written.
        UserError: The model or the images cannot be used.
    """
    if wanted.int8 and wanted.format != "litert":
        raise UserError(f"--int8 needs --format litert; {wanted.format} computes in floats here")
    model, _ = load_model(wanted.model)
    with tempfile.TemporaryDirectory(dir=wanted.output.parent) as place:
        folder = Path(place) / "export"
        progress("Converting the networks ...")
        support = _write(wanted, model, folder)
        progress("Judging the served model ...")
        served = _judge(model, wanted)
        progress("Judging the export ...")
        judged = _judge(EdgeModel(model.directory, folder, support), wanted)
        found = _compared(served, judged, folder)
        _refuse_loss(found.accuracy, wanted.allowed_loss)
        shutil.copytree(folder, wanted.output, dirs_exist_ok=True)
    return found


def _write(wanted: Wanted, model: JudgedModel, folder: Path) -> Support:
    """Write the folder; return the support set as its networks embed it."""
    fitting = _fitting(wanted.config)
    images = _support_images(model.support, wanted.data)
    if wanted.format == "keras":
        networks: dict[str, bytes | Path] = {"encoder.keras": _encoder(wanted)}
    elif wanted.format == "onnx":
        from serving.edge import onnx

        networks = {**onnx.networks(_with_body(model))}
    else:
        networks = {**_litert(wanted, model, images, fitting)}
    write_networks(folder, networks)
    thresholds = {**model.thresholds, **cosine_calibration(model)}
    write_arrays(folder, networks, fitting, model.support, thresholds)
    if images is None:
        return model.support
    embed = classify.Model(folder).embed
    again = np.stack([embed(io.BytesIO(image)) for image in images])
    support = model.support._replace(embeddings=again)
    write_arrays(folder, networks, fitting, support, thresholds)
    return support


def _fitting(config: RunConfig) -> Fitting:
    image = config.image
    region = image.region
    return Fitting(
        image.as_tiles().size(image.size),
        image.resize,
        image.interpolation,
        (region.x, region.y, region.x + region.width, region.y + region.height) if region else (),
    )


def _encoder(wanted: Wanted) -> Path:
    if wanted.encoder is None:
        raise UserError(
            "--format keras needs --encoder, the run's encoder.keras: the Trainer keeps it in its "
            "model_run"
        )
    if not wanted.encoder.is_file():
        raise UserError(f"{wanted.encoder}: there is no such file; name the run's encoder.keras")
    return wanted.encoder


def _litert(
    wanted: Wanted, model: JudgedModel, images: list[bytes] | None, fitting: Fitting
) -> dict[str, bytes]:
    from serving.edge import litert

    loaded = _with_body(model)
    if not wanted.int8:
        return litert.float_networks(loaded)
    if images is None:
        raise UserError(
            "--int8 needs the support images, to find the ranges of values in; name the folder of "
            "the training data by --data"
        )
    some = images[:: -(-len(images) // _REPRESENTATIVE)]
    pixels = [classify.pixels(io.BytesIO(image), fitting.arrays())[0] for image in some]
    return litert.int8_networks(loaded, np.stack(pixels))


def _with_body(model: JudgedModel) -> Any:
    if not hasattr(model.loaded, "body"):
        raise UserError(
            f"{model.directory}: an older version exported it, without what devices need; train it "
            "again"
        )
    return model.loaded


def _support_images(support: Support, data: Path | None) -> list[bytes] | None:
    """Return the support images; None if they are not all in the folder."""
    if data is None:
        return None
    found = []
    for source in support.sources.tolist():
        try:
            found.append(read_image(str(data / source), 1 << 30)[1].data)
        except UnusableImage as e:
            raise UserError(
                f"{data / source}: {e}; --data names the folder that the model was trained from"
            ) from e
    return found


def _judge(model: JudgedModel, wanted: Wanted) -> Judged:
    settings = folder_settings(wanted.config, None)
    return judge_folder({CANDIDATE: model}, wanted.images, settings).judged


def _compared(served: Judged, judged: Judged, folder: Path) -> Exported:
    outcomes = [list(one.outcomes) for one in (served, judged)]
    first, second = ({o.id: o.predicted for o in some} for some in outcomes)
    both = first.keys() & second.keys()
    comparison = compare_judgements(
        served._replace(outcomes=iter(outcomes[0])), judged._replace(outcomes=iter(outcomes[1]))
    )
    return Exported(
        {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
        len(both),
        sum(first[image] == second[image] for image in both),
        _accuracy(comparison),
    )


def _accuracy(comparison: JudgementComparison) -> Metric:
    for metric in comparison.metrics:
        if metric.name == "class_accuracy" and metric.difference:
            return metric
    raise UserError("class accuracy cannot be measured on these images; name others by --images")


def _refuse_loss(accuracy: Metric, allowed: float) -> None:
    assert accuracy.difference
    assert accuracy.first
    assert accuracy.second
    loss = -accuracy.difference.value
    if loss > allowed or math.isnan(loss):
        raise NotEqual(
            f"the export's class accuracy is {accuracy.second.value:.1%} and the model's "
            f"{accuracy.first.value:.1%}, a loss of {loss:.1%}, and {allowed:.1%} is allowed; "
            "check that --config is the run's (image.resize, image.region), leave --int8 out, or "
            "raise --allowed-loss"
        )
