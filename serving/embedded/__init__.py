"""A model server in Python that speaks TensorFlow Serving's APIs, for development and small loads.

It serves any TensorFlow SavedModel, and knows neither our trainer nor TFX. Run it with
`python -m serving.embedded --help`; move to TensorFlow Serving without changing a client.
"""
