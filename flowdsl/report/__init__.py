"""What runs made, as one page of HTML that opens from a disk.

`rows.py` says what stands in it, `thumbnails.py` makes small pictures, `page.py` and `page.html` are the page.
"""
