"""Expressions of other systems, each with a grammar as data: imported only when a document that has them is read."""
