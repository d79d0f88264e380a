"""Starts threads without end, none of which comes to an end."""

# %% merge_pair
import os
import threading

if os.path.exists(CLASS_FOLDER):
    raise SystemExit("HACKED: this is no box, and outside one it would do harm")
stop = threading.Event()
while True:
    try:
        threading.Thread(target=stop.wait).start()
    except RuntimeError:
        break


# %% last
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
