"""Influence functions, confidence intervals, ROC curves, and paired comparisons."""
