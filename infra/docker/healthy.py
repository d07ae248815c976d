"""Whether HTTP on this container's port answers 200: `python -IS healthy.py PORT PATH`.

Without site packages and HTTP libraries it takes a fiftieth of a second of one core, which counts when a dozen
containers are asked again and again.
"""

import os
import socket
import sys

TIMEOUT_S = 4


def main(port: int, path: str) -> int:
    """0 where it answers 200, else 1."""
    connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    if os.environ.get("HEADRACE_HTTP_TLS_CERT"):
        import ssl

        connection = ssl._create_unverified_context().wrap_socket(connection)  # it is ourselves whom we ask
    connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    return 0 if b" 200 " in connection.recv(64) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
