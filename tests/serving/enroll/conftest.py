"""A small exported model, whose classes are class-0, class-1 and class-2."""

import shutil

import pytest
import tensorflow as tf
from exported_model import exported_once, make_model, write_images

from serving.enroll import enroll
from tests.serving.enroll.small_model import NEW


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    return exported_once(tmp_path_factory)


@pytest.fixture(scope="session")
def loaded(exported):
    """For what ends before anything is changed."""
    return tf.saved_model.load(str(exported))


@pytest.fixture
def base(exported, tmp_path):
    """Base path of version 1."""
    base = tmp_path / "models"
    shutil.copytree(exported, base / "1")
    return base


@pytest.fixture(scope="session")
def enrolled(exported, tmp_path_factory):
    """Version 1 with a new class added; not to be changed."""
    folder = tmp_path_factory.mktemp("enrolled")
    shutil.copytree(exported, folder / "models/1")
    (folder / "models/1/assets/variables.txt").write_text("an asset")
    return enroll(folder / "models", {NEW: write_images(folder / NEW, 7, range(4))})


@pytest.fixture
def new(tmp_path):
    """Four images of a class that the model has never seen."""
    return write_images(tmp_path / NEW, 7, range(4))
