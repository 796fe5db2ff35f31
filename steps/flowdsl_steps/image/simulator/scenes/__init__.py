"""The subjects a simulated picture can show: a prompt comes in, the function that draws its subject goes out.

Begin at `subject.py`; the other modules hold one function a subject, by kind, each with the words that call for it.
"""
