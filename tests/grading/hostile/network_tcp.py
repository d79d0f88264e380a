"""Tries to reach a server of the grader's machine by TCP, and by every address that may lead there."""

# %% merge_pair
import socket

for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.2.2", "172.17.0.1", "169.254.169.254"):
    for port in (PORT, 80, 22):
        try:
            with socket.create_connection((host, port), timeout=0.1) as line:
                line.sendall(b"HACKED")
                print("HACKED: connected", host, port)
        except OSError as error:
            print(host, port, error)
