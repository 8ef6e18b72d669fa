"""Audits labelled images before anything is trained on them, within seconds.

* `audit`: all of the following, in order.
* `properties`: measures one image; `collection`: a sample of a data set's.
* `exposure`, `sizes`, `copies`: images that differ from the others, or do not differ at all.
* `shortcuts`: whether something that is not content tells the classes apart.
* `label_errors`: images that look like another class.
* `findings`: what an audit returns.

Imports neither TFX nor TensorFlow.
"""
