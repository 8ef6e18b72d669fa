"""ImageExampleGen: reads a folder of images, excludes unusable ones, and divides the rest.

* `sources`: which files there are, and their classes.
* `inspection`: reads and checks one file.
* `splitting`: which image goes to which split.
* `report`: what the ingestion found, and whether the run may continue.
* `beam_steps`: these, on Beam; no step sees all images.
* `executor`, `driver`, `settings`, `component`: the TFX component.
"""
