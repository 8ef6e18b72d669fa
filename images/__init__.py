"""Image files: decoding to a canonical form, headers, near-duplicates."""
