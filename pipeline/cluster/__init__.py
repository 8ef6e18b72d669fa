"""Kubeflow Pipelines and Vertex AI: compile the DAG, submit it, run the compiled form locally.

Importing this package imports neither TFX nor kfp.
"""
