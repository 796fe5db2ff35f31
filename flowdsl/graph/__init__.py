"""Flows as pictures, drawn without anything but this package.

In: a `Document`, and the events of a run where somebody wants to see it over the flow. Out: Mermaid text, an SVG, or a
page of HTML that needs nothing else. What is drawn follows from the shapes of the steps alone, so that a loop of
somebody else looks as FOR does. Begin at `drawing`.
"""
