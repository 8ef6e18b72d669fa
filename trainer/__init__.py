"""The Siamese network: settings, network, training, search and export.

`trainer.run_fn` and `trainer.tuner_fn` are TFX's entry points; nothing else here knows TFX.
Importing this package imports neither TFX nor TensorFlow.
"""
