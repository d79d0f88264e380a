"""What the class has understood, on one page for the instructor."""
