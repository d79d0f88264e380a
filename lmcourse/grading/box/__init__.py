"""A box in which a student's notebook runs: it sees nothing that is not its own, and can harm nothing.

zygote     a process with torch loaded; forks a box for each submission and passes messages on
walls      what stands around a box: Linux namespaces, limits, a filter of system calls
inside     the student's side of the wall: runs cells, keeps snapshots, calls functions
client     the grader's side: opens boxes and talks to them
"""
