"""Models for devices without a server: a folder with networks, the support set and an example."""
