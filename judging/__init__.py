"""Few-shot judging: classification, thresholds, metrics with intervals, and the verdict.

Needs NumPy, SciPy, scikit-learn and pydantic; imports neither TFX nor TensorFlow.
"""
