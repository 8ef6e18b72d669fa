"""The Siamese network: its encoder, losses, input, training and export.

Only `run_fn` knows of TFX; importing this package imports neither TFX nor TensorFlow.
"""
