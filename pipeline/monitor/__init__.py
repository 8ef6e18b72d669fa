"""What `siamese monitor` reads, and how it shows what it finds."""
