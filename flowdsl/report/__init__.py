"""What runs made, as one page of HTML that opens from a disk.

In: rows, of a journal (`of_journal.py`) or the manifest of a folder (`of_folder.py`). Out: the page. `row.py` says what
a row has, `thumbnails.py` makes small pictures, `page.py` puts `page.html`, `page.css`, `page.js` and data together.
"""
