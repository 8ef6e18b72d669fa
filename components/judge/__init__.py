"""Judges a model as it will be used, on images that nothing was learned from or chosen by.

Public interface: the component `Judge` (`components.judge.component`), what it writes
(`judging.judgement.Judgement`), and what can be asked of a model
(`judging.settings`). The statistics import neither TFX nor TensorFlow.
"""
