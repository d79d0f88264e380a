"""Tries the machine's unix sockets: those with a path, and the abstract ones that have none."""

# %% merge_pair
import glob
import socket

paths = [
    SOCKET,
    "\0" + ABSTRACT,
    "/var/run/docker.sock",
    "/run/systemd/private",
    "/run/dbus/system_bus_socket",
]
for path in paths + glob.glob("/run/**/*.sock", recursive=True) + glob.glob("/tmp/**/*.sock", recursive=True):
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(0.1)
            line.connect(path)
            line.sendall(b"HACKED")
            print("HACKED: connected", repr(path))
    except OSError as error:
        print(repr(path), error)
