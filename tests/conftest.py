"""Settings that must hold on any machine, before TensorFlow and the command line are imported."""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["COLUMNS"] = "160"  # what is asserted on must not wrap
