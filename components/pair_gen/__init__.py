"""PairGen: turns the images of each split into paired TFRecords.

* `sampling`: which images make a block, and which of its images make a pair.
* `pair_block`: the record.
* `component`: the TFX component, on Beam.
"""
