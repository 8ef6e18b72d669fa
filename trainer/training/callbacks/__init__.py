"""Keras callbacks, one file each; `trainer.training.fit` orders them."""
