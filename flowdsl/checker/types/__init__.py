"""Types of values and of template expressions."""
