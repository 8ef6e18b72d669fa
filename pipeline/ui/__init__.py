"""The browser interface: try a model, review its images, change its classes, watch runs."""
