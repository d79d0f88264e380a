"""One notebook from cells to marks: it runs in a box, and its answers are judged outside."""
