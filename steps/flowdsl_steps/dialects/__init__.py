"""Documents of other systems, said in this language."""
