"""What a run tells to systems that watch it: lines of JSON for a log, spans and metrics of OpenTelemetry.

In: the events of runs, as a listener hears them. Out: lines, spans, metrics; prompts and values of a flow only where
that is asked for. Nothing here ends a run, and nothing is imported by one that nobody watches. Begin at `log_lines`.
"""
