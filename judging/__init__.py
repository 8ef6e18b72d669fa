"""Few-shot judging: classification, thresholds, metrics with intervals, and the verdict.

Needs NumPy, SciPy and pydantic; imports neither TFX nor TensorFlow.
"""
