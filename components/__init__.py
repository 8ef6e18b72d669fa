"""The pipeline's TFX components, a folder each. Importing this package imports no TFX."""
