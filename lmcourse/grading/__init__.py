"""The instructor's side: from the file that the LMS gives to marks. So far: collecting (`collect`).

Read in this order: `names` (who handed in), `reading` (bytes to cells), `repair` (cells to the assignment's own
cells), `handed_in` (a zip or a folder to bytes), `collect` (all of it, with a report).
"""
