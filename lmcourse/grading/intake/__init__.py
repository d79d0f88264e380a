"""From what the LMS gives to notebooks that can be graded: sorted by student, repaired, every file accounted for."""
