"""TFX's Pusher, and the lineage of what it pushes."""
