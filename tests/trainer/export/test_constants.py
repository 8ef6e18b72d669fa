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
    return model, (lambda pixels: model(pixels, training=False), model.weights, PIXELS)


def test_the_same_answers_without_variables():
    model, arguments = network()
    pixels = tf.random.stateless_normal([5, 8, 8, 3], [0, 0])
    constant = to_constants(*arguments)
    assert constant.variables == []
    expected = model(pixels)
    np.testing.assert_allclose(constant(pixels), expected, rtol=1e-4)
    assert tf.function(constant).get_concrete_function(PIXELS).output_shapes == [None, 4]
    for weight in model.weights:  # what comes later is nothing to it
        weight.assign(weight * 0)
    np.testing.assert_allclose(constant(pixels), expected, rtol=1e-4)


def test_large_variables_stay_variables():
    model, arguments = network()
    size = sum(4 * np.prod(w.shape) for w in model.weights)
    assert to_constants(*arguments, most_bytes=size).variables == []
    kept = to_constants(*arguments, most_bytes=size - 1)
    assert [tuple(v.shape) for v in kept.variables] == [(3, 3, 3, 4)]
    assert len(to_constants(*arguments, most_bytes=0).variables) == 6
    pixels = tf.ones([2, 8, 8, 3])
    np.testing.assert_allclose(kept(pixels), model(pixels), rtol=1e-5)
    for weight in model.weights:  # the next version has others
        weight.assign(weight * 0)
    assert not np.allclose(kept(pixels), to_constants(*arguments)(pixels))


def test_arguments_keep_their_order():
    scale = keras.Variable(2.0)
    vector = tf.TensorSpec([None], tf.float32)
    constant = to_constants(lambda left, right: left - scale * right, [scale], vector, vector)
    np.testing.assert_array_equal(constant(tf.constant([5.0]), tf.constant([1.0])), [3.0])
