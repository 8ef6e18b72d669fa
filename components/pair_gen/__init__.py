"""PairGen: turns the images of each split into pair blocks (`records.pair_block`).

* `component`: the TFX component, on Beam.
* `beam_steps`: its Beam transforms.
* `image_store`: where pixels are kept meanwhile.
"""
