"""What the tests of enrolment ask of a small exported model."""

import functools

import tensorflow as tf
from sample_images import encoded, picture

NEW = "Wäsche"


def queries(*labels):
    return [encoded(picture(label, 100 + i, 16, 60)) for label in labels for i in range(5)]


@functools.lru_cache(maxsize=4)
def load(version):
    return tf.saved_model.load(str(version))


def ask(version, images, signature="classify"):
    answer = load(version).signatures[signature](image=tf.constant(images))
    return {name: value.numpy() for name, value in answer.items()}


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def versions(base):
    return sorted(path.name for path in base.iterdir())
