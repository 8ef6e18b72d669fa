"""File systems: local paths and addresses such as gs://bucket and s3://bucket."""
