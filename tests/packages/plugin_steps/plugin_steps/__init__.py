"""Control steps of a third party, one for each shape: they use what `flowdsl` makes public and nothing else."""
