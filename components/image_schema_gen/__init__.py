"""ImageSchemaGen: the schema of the image records."""
