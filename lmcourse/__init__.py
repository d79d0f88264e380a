"""lmcourse: the package beside the course."""
