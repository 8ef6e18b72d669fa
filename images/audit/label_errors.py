"""Finds images that look like another class, by neighbours among cheap features.

No network: the features are gradients (HOG; Dalal and Triggs 2005), coarse colours, texture (local
binary patterns; Ojala et al. 1996) and the measured properties. They are projected by a linear
discriminant analysis that has not seen the image, and its neighbours are looked up there. Where
such features tell the classes apart badly, nothing is reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import normalize

from base.counted import counted
from images.audit.collection import Collection
from images.audit.findings import Example, Finding, about
from images.audit.properties import Properties

_FOLDS = _NEIGHBOURS = 5
_AGREEING = 4
"""Neighbours of one other class that a suspect has, at least."""

_MAX_OWN, _MIN_OTHER = 0.1, 0.8
"""Out-of-fold probability of a suspect's own class at most, and of another one at least."""

_INFORMATIVE = 0.8
"""Out-of-fold accuracy of the neighbours' vote from which suspects are reported. With 3 % of the
labels changed, 70 to 80 % of those were found among 120 and 180 images of steel (accuracy 0.9),
and two others a time; among cats and dogs (accuracy 0.66) 2 %."""

_COMPONENTS = 30
"""Principal components of each kind of feature."""

_MIN_IMAGES, _MIN_OF_CLASS = 30, 5


class _OutOfFold(NamedTuple):
    """What the images of the other folds say about each image.

    Attributes:
        neighbours: int64 [n, k], indices of the nearest images.
        probabilities: float64 [n, classes].
    """

    neighbours: np.ndarray
    probabilities: np.ndarray


def find_label_errors(images: Collection) -> Iterator[Finding]:
    """Yield the images that may be mislabelled, the most confident first."""
    at = _informative(images)
    if not at:
        return
    names, classes = np.unique(images.labels[at].astype(str), return_inverse=True)
    try:
        found = _out_of_fold(_features([images.images[i] for i in at]), classes)
    except np.linalg.LinAlgError:  # the images of each class are all alike
        return
    votes = np.array([np.bincount(row, minlength=len(names)) for row in classes[found.neighbours]])
    accuracy = float((votes.argmax(1) == classes).mean())
    if accuracy < _INFORMATIVE:
        return
    own = found.probabilities[np.arange(len(classes)), classes]
    suspect = (
        (votes[np.arange(len(classes)), classes] == 0)
        & (votes.max(1) >= _AGREEING)
        & (own <= _MAX_OWN)
        & (found.probabilities.max(1) >= _MIN_OTHER)
    )
    order = [i for i in np.argsort(own, kind="stable").tolist() if suspect[i]]
    examples = []
    for i in order:
        file, near = images.files[at[i]], [images.files[at[j]] for j in found.neighbours[i]]
        examples.append(
            Example(
                path=file.path,
                label=file.label,
                detail=f"looks like {names[votes[i].argmax()]} ({1 - own[i]:.0%})",
                others=tuple(one.path for one in near),
                other_labels=tuple(one.label for one in near),
            )
        )
    yield from about(
        examples,
        "label_errors",
        "note",
        f"{counted(len(examples), 'image', ('looks', 'look'))} like another class, by features "
        f"that classify {accuracy:.0%} correctly",
        "Look at them, and move those whose label is wrong.",
    )


def _informative(images: Collection) -> list[int]:
    """Return the images from which classes can be learned; none if they are too few.

    Blank images show nothing, and identical files of a class are one image.
    """
    once: dict[tuple[str, str], int] = {}
    for i, (file, one) in enumerate(zip(images.files, images.images, strict=True)):
        if one.spread > 0:
            once.setdefault((file.label, one.content_hash), i)
    counts = Counter(label for label, _ in once)
    enough = {label for label, count in counts.items() if count >= _MIN_OF_CLASS}
    at = [i for (label, _), i in once.items() if label in enough]
    return at if len(enough) > 1 and len(at) >= _MIN_IMAGES else []


def _out_of_fold(features: np.ndarray, classes: np.ndarray) -> _OutOfFold:
    """Return each image's neighbours and class probabilities, by the images of other folds.

    Args:
        features: float64 [n, d].
        classes: int64 [n].
    """
    neighbours = np.zeros((len(classes), _NEIGHBOURS), np.int64)
    probabilities = np.zeros((len(classes), classes.max() + 1))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    for others, fold in folds.split(features, classes):
        model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
        model.fit(features[others], classes[others])
        probabilities[fold] = model.predict_proba(features[fold])
        embedded = normalize(model.transform(features))
        similarity = embedded[fold] @ embedded[others].T
        neighbours[fold] = others[np.argsort(-similarity, 1, kind="stable")[:, :_NEIGHBOURS]]
    return _OutOfFold(neighbours, probabilities)


def _features(images: Sequence[Properties]) -> np.ndarray:
    """Return the features of images, float64 [n, d], each kind with the same total variance."""
    hog = cv2.HOGDescriptor((64, 64), (16, 16), (8, 8), (8, 8), 9)
    gradients, colours, textures, measured = [], [], [], []
    for one in images:
        pixels = one.thumbnail
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        gradients.append(np.ravel(hog.compute(grey)))
        colours.append(cv2.resize(pixels, (8, 8), interpolation=cv2.INTER_AREA).ravel())
        textures.append(np.sqrt(_local_binary_patterns(grey)))
        measured.append((one.mean, one.spread, one.sharpness, one.colourfulness))
    values = np.array(measured)
    values = (values - values.mean(0)) / (values.std(0) + 1e-9)
    return np.hstack([_components(np.array(of)) for of in (gradients, colours, textures, values)])


def _components(features: np.ndarray) -> np.ndarray:
    centred = features.astype(np.float64) - features.mean(0)
    variance = (centred**2).sum(1).mean()
    if variance < 1e-9:
        return np.zeros((len(features), 0))
    centred /= np.sqrt(variance)
    count = min(_COMPONENTS, *centred.shape)
    return PCA(count, random_state=0).fit_transform(centred)


def _local_binary_patterns(grey: np.ndarray) -> np.ndarray:
    """Return the shares of the 256 patterns of neighbouring pixels, float64 [256]."""
    height, width = grey.shape[0] - 2, grey.shape[1] - 2
    centre, codes = grey[1:-1, 1:-1], np.zeros((height, width), np.int64)
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    for bit, (y, x) in enumerate(around):
        codes |= (grey[y : y + height, x : x + width] >= centre).astype(np.int64) << bit
    return np.bincount(codes.ravel(), minlength=256) / codes.size
