"""The standard steps of flowdsl, installed as the first plugin of the `flowdsl.steps` entry point."""
