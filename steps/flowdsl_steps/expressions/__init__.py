"""Expressions of other systems, each with its grammar: read where a document of that system has one, and not before."""
