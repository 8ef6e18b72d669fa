"""What every package builds on: the base classes of errors and settings, and printable file names.

Imports nothing of this project, and neither TFX nor TensorFlow.
"""
