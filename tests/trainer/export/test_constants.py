import keras
import numpy as np
import tensorflow as tf

from trainer.export.constants import to_constants

PIXELS = tf.TensorSpec([None, 8, 8, 3], tf.float32)


def network():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    for weight in model.weights:
        weight.assign(weight + 0.1)
    return model, lambda pixels: model(pixels, training=False)


def test_the_same_answers_without_variables():
    model, function = network()
    pixels = tf.random.stateless_normal([5, 8, 8, 3], [0, 0])
    constant = to_constants(function, PIXELS)
    assert constant.variables == []
    expected = model(pixels)
    np.testing.assert_allclose(constant(pixels), expected, rtol=1e-4)
    assert tf.function(constant).get_concrete_function(PIXELS).output_shapes == [None, 4]
    for weight in model.weights:  # what comes later is nothing to it
        weight.assign(weight * 0)
    np.testing.assert_allclose(constant(pixels), expected, rtol=1e-4)


def test_too_many_bytes_stay_variables():
    model, function = network()
    size = sum(4 * np.prod(w.shape) for w in model.weights)
    assert to_constants(function, PIXELS, most_bytes=size).variables == []
    kept = to_constants(function, PIXELS, most_bytes=size - 1)
    assert len(kept.variables) == 6
    pixels = tf.ones([2, 8, 8, 3])
    np.testing.assert_allclose(kept(pixels), model(pixels), rtol=1e-5)


def test_arguments_keep_their_order():
    scale = tf.Variable(2.0)
    vector = tf.TensorSpec([None], tf.float32)
    constant = to_constants(lambda left, right: left - scale * right, vector, vector)
    np.testing.assert_array_equal(constant(tf.constant([5.0]), tf.constant([1.0])), [3.0])
