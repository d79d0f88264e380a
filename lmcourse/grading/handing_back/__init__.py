"""What goes back: a page for each student, and marks for the LMS."""
