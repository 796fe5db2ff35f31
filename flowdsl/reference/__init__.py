"""What is generated from the steps: JSON Schemas, reference pages, and the index a plugin ships."""
