"""The messages of TensorFlow Serving's protocol, as far as the client needs them.

The package tensorflow-serving-api has all of them, and imports TensorFlow.
"""
