"""ImageExampleGen: reads a folder of images, sets unusable ones aside, and divides the rest.

* `sources`: which files there are, and their classes.
* `inspection`: reads and checks one file.
* `near_duplicates`: which images show the same.
* `splitting`: which image goes to which split.
* `beam_steps`: these, on Beam, and no step sees all images.
* `executor`, `driver`, `component`: the TFX component.
"""
