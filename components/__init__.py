"""The pipeline's own TFX components, and what they agree on about images and pairs.

Importing this package imports neither TFX nor TensorFlow; each component's public
interface is the class in its own sub-package.
"""
