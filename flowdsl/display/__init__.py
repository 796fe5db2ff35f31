"""What a text looks like on a terminal: characters that steer it are shown, never sent, and how wide the rest is.

In: text from anywhere. Out: text that can be printed. Begin at `visible`.
"""
