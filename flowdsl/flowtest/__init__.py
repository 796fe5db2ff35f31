"""Flow tests: the cases of a `*.test.yaml`, each a run without a service, compared with what it expects.

In: `FlowTests`, as `build` makes them of a file, and a `Simulation`, which only the command line can give: nothing here
knows a vendor. Out: an `Outcome` for each case, with differences that name both places, and what of the flow ran. Begin
at `run_case`.
"""
