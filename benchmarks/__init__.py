"""How fast flowdsl is beside its peers; `python -m benchmarks` runs everything."""
