"""Reads files in the graph as `images.canonical` does outside, or says why the graph cannot."""
