"""One module for each group of metrics: pairs, classes, episodes, open set."""
