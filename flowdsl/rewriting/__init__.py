"""Files written anew: in the one style, or with the fixes of their findings.

In: a Source. Out: its text as it should be, and the one way in which a changed file gets to the disk. Begin with
`style` for `flowdsl fmt`, with `fixing` for `flowdsl validate --fix`, with `files` for what is written and when not.
"""
