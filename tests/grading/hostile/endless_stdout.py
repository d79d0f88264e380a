"""Prints without end."""

# %% merge_pair
while True:
    print("all work and no play " * 1000)


# %% predict_merges
def predict_merges():
    while True:
        print("all work and no play " * 1000)
