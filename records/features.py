"""Names of the features of all records, from the images to the served model.

Every module that writes or reads a record takes the names from here. The three record
types are `tf.train.Example` protos:

* an *image record*, written by ImageExampleGen: one per usable image, all features of
  `IMAGE_RECORD`, each holding one value;
* a *transformed record*, written by Transform: the same, but `PIXELS` in place of `IMAGE`,
  `HEIGHT`, `WIDTH` and the range;
* a *pair block*, written by PairGen: see `records.pair_block`.
"""

# --- one image -----------------------------------------------------------------------------
IMAGE = "image"
"""bytes: the encoded image (JPEG, PNG, BMP or GIF), decodable by `tf.io.decode_image`."""

LABEL = "label"
"""bytes: the class, UTF-8; the name of the image's folder, or the manifest's column."""

SOURCE = "source"
"""bytes: path of the file, relative to the data root, as the file system spells it."""

HEIGHT = "height"
"""int64: rows of the image in pixels, upright (after EXIF rotation)."""

WIDTH = "width"
"""int64: columns of the image in pixels, upright (after EXIF rotation)."""

RANGE_LOW = "range_low"
"""float: value that preprocessing maps to 0 in images of more than eight bits; one for all."""

RANGE_HIGH = "range_high"
"""float: the same for 255; equal to `RANGE_LOW` where the data set has no range."""

CONTENT_HASH = "content_hash"
"""bytes: SHA-256 of the original file, hexadecimal."""

IMAGE_ID = "image_id"
"""bytes: hexadecimal, unique in the data set: the start of SHA-256 over `SOURCE` and the hash."""

GROUP = "group"
"""bytes: hexadecimal, of the images that stay in one split and count as one case in intervals:
those of a group that the data set names, and copies. A single image is a group of its own."""

FOLD = "fold"
"""int64: the fold in which the image is judged, from 0 on; -1 where there are splits instead."""

IMAGE_RECORD = (
    IMAGE, LABEL, SOURCE, HEIGHT, WIDTH, RANGE_LOW, RANGE_HIGH, CONTENT_HASH, IMAGE_ID, GROUP, FOLD,
)  # fmt: skip

# --- one transformed image -----------------------------------------------------------------
PIXELS = "pixels"
"""bytes: `tf.io.serialize_tensor` of uint8 [size, size, 3], RGB."""

TRANSFORMED_RECORD = (PIXELS, LABEL, SOURCE, CONTENT_HASH, IMAGE_ID, GROUP, FOLD)

# --- one pair block of m images and p pairs --------------------------------------------------
LEFT = "left"
"""int64 [p]: index, in the block's images, of each pair's left image."""

RIGHT = "right"
"""int64 [p]: index, in the block's images, of each pair's right image."""

TARGET = "target"
"""int64 [p]: 1 where both images of the pair are of the same class, else 0."""

# --- splits --------------------------------------------------------------------------------
TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)
"""`train` is for weights, `validation` for choices (best epoch, threshold), `test` for judging.

With folds, all images are in `train`, and the pairs in `test` are of images of one fold."""

NO_FOLD = -1
"""Value of `FOLD` where there are splits instead."""
