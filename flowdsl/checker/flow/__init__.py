"""Following a flow along every path."""
