"""A checked flow as data: its steps, and what it declares.

The checker makes it, the compiler turns it into a program.
"""
