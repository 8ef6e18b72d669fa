"""Pixels of Transform, which the network learns from, and of the served graph are the same."""

import functools
import importlib.util

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from deep_images import KINDS
from icc_profiles import display_p3, linear_grey, swapped_inks
from PIL import Image
from sample_images import encoded, picture
from tensorflow_transform import beam as tft_beam

from components.image_example_gen.inspection import image_record
from components.image_example_gen.sources import Source
from components.image_example_gen.value_range import ValueRange
from components.image_schema_gen.component import image_schema
from components.transform.preprocessing import fitting_of, preprocessing_fn
from records import features
from serving.query_image import canonical_query
from trainer.export.safe_pixels import safe_pixels

EXIF = Image.Exif()
EXIF[0x0112] = 6
PHOTO = picture(1, 1, 40).crop((0, 0, 40, 26))
EIGHT_BITS = {
    "JPEG": encoded(PHOTO, "JPEG"),
    "PNG": encoded(PHOTO),
    "BMP": encoded(PHOTO, "BMP"),
    "GIF": encoded(PHOTO, "GIF"),
    "animated GIF": encoded(PHOTO, "GIF", save_all=True, append_images=[picture(2, 2)]),
    "animated WebP": encoded(PHOTO, "WEBP", save_all=True, append_images=[PHOTO.rotate(180)]),
    "animated PNG": encoded(PHOTO, save_all=True, append_images=[picture(2, 2)]),
    "AVIF": encoded(PHOTO, "AVIF"),
    "two-page TIFF": encoded(PHOTO, "TIFF", save_all=True, append_images=[picture(2, 2)]),
    "grey": encoded(PHOTO.convert("L")),
    "palette": encoded(PHOTO.convert("P")),
    "transparent": encoded(PHOTO.convert("LA")),
    "CMYK": encoded(PHOTO.convert("CMYK"), "JPEG"),
    "turned": encoded(PHOTO, "JPEG", exif=EXIF.tobytes()),
    "Display P3": encoded(PHOTO, "JPEG", icc_profile=display_p3()),
    "turned Display P3": encoded(PHOTO, "JPEG", icc_profile=display_p3(), exif=EXIF.tobytes()),
    "grey with a profile": encoded(PHOTO.convert("L"), icc_profile=linear_grey()),
    "CMYK with a profile": encoded(PHOTO.convert("CMYK"), "TIFF", icc_profile=swapped_inks()),
    "1 x 1": encoded(Image.new("RGB", (1, 1), "red")),
    "30,000 x 10": encoded(Image.new("RGB", (30_000, 10), "red")),
}
if importlib.util.find_spec("pillow_heif"):
    import pillow_heif

    pillow_heif.register_heif_opener()
    EIGHT_BITS["HEIC"] = encoded(PHOTO, "HEIF")
FILES = KINDS | {name: (data, None) for name, data in EIGHT_BITS.items()}
MAX_PIXELS = 1_000_000
RAW = {  # what the served graph itself reads: these need no client
    *("JPEG", "PNG", "BMP", "GIF", "grey", "palette", "1 x 1", "30,000 x 10"),
    *("12-bit PNG", "16-bit PNG", "16-bit colour PNG", "16-bit colour PNG in sRGB"),
    *("transparent", "turned", "animated GIF"),
}


WAYS = {
    "stretch": {"resize": "stretch"},
    "pad": {"resize": "pad"},
    "crop": {"resize": "crop"},
    "tiles of a region": {
        "resize": "pad",
        "tiles": "2x3",
        "region": {"x": 2, "y": 3, "width": 13, "height": 9},
    },
}
SMALLER_THAN_THE_REGION = {"1 x 1", "30,000 x 10"}


@pytest.fixture(scope="module", params=WAYS)
def transformed(request, tmp_path_factory):
    """Pixels of every file by Transform, its graph, and how it fits images."""
    root = tmp_path_factory.mktemp("images")
    way = WAYS[request.param]
    files = [name for name in FILES if "region" not in way or name not in SMALLER_THAN_THE_REGION]
    for number, name in enumerate(files):
        (root / str(number)).write_bytes(FILES[name][0])
    found = ValueRange(low=0.0, high=4000.0)
    records = [
        image_record(Source(str(number), "a"), str(root), MAX_PIXELS, found)
        for number in range(len(files))
    ]
    config = {"size": 24, "interpolation": "cubic", **way}
    spec = tft.tf_metadata.schema_utils.schema_as_feature_spec(image_schema(["a"])).feature_spec
    metadata = tft.tf_metadata.dataset_metadata.DatasetMetadata.from_feature_spec(spec)
    raw = [
        {name: one.numpy() for name, one in tf.io.parse_single_example(text, spec).items()}
        for text in (record.SerializeToString() for record in records)
    ]
    stored = {}
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(root / "temp")):
        data = pipeline | beam.Create(raw)
        (rows, _), graph = (data, metadata) | tft_beam.AnalyzeAndTransformDataset(
            functools.partial(preprocessing_fn, custom_config=config)
        )
        _ = graph | tft_beam.WriteTransformFn(str(root / "graph"))
        _ = rows | beam.Map(_write, str(root))
    for number, name in enumerate(files):
        stored[name] = tf.io.parse_tensor((root / f"{number}.pixels").read_bytes(), tf.uint8)
    output = tft.TFTransformOutput(str(root / "graph"))
    assert set(output.transformed_feature_spec()) == set(features.TRANSFORMED_RECORD)
    layer = output.transform_features_layer()
    return stored, layer, fitting_of(config)


def _write(row, root):
    with open(f"{root}/{row[features.SOURCE].item().decode()}.pixels", "wb") as file:
        file.write(row[features.PIXELS].item())


@pytest.fixture(scope="module")
def served(transformed):
    """Pixels, validity and reasons by the served graph: of what the client sends, and of files."""
    _, layer, fitting = transformed

    @tf.function
    def preprocess(images):
        return layer({features.IMAGE: images[:, None]})[features.PIXELS][:, 0]

    files = [data for data, _ in FILES.values()]
    images = tf.constant([*map(canonical_query, files), *files])
    found = safe_pixels(images, preprocess, (fitting.height, fitting.width), MAX_PIXELS)
    return list(zip(*(tf.split(each, 2) for each in found), strict=True))


def test_all_files_through_the_client(transformed, served):
    pixels, valid, _ = served[0]
    stored = transformed[0]
    for name, one, is_valid in zip(FILES, pixels, valid.numpy(), strict=True):
        assert is_valid == (name in stored), name
        if is_valid:
            np.testing.assert_array_equal(one, stored[name], name)


def test_files_as_they_are_give_the_same_pixels_or_none(transformed, served):
    pixels, valid, reason = served[1]
    for name, one, is_valid, why in zip(FILES, pixels, valid.numpy(), reason.numpy(), strict=True):
        assert is_valid == (why == b""), name
        if is_valid:
            np.testing.assert_array_equal(one, transformed[0][name], name)
    read = {name for name, is_valid in zip(FILES, valid.numpy(), strict=True) if is_valid}
    assert read >= RAW & set(transformed[0])
