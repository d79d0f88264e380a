"""The author's side: how an exercise is judged, and the notebooks that are made from their sources."""
