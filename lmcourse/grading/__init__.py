"""Grading a class, for instructors: `lmcourse grade`. Read it in this order.

class_folder    where the files of a class lie
intake          from the LMS's zip to notebooks that can be graded
box             where a notebook runs and can do no harm
judging         one notebook from its cells to its marks
run             a whole class
gradebook       nbgrader's gradebook: its one writer
handing_back    feedback for students, marks for the LMS
reporting       what the class has understood
practice        a class that does not exist, to try all of it
commands        what an instructor types
"""
