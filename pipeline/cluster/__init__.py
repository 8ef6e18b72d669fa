"""Kubeflow Pipelines and Vertex AI: compiling the DAG for them, submitting it, running it here.

Importing this package imports neither TFX nor kfp.
"""
