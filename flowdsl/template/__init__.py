"""Declarative image-generation flows."""
