"""The commands of `siamese`, a file each."""
