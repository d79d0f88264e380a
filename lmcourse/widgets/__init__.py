"""Interactive figures, a package per chapter: each is an ES module and the function that builds it."""
