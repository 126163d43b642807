"""Servers on the loopback that answer as they are told, over real sockets, and a resolver that is forged."""

import contextlib
import socket
import threading


class Server:
    """A TCP server that hands each connection to a function, and remembers what was asked.

    `answer` is the bytes to send to each request, or a function of the connection and the request; one that returns
    "keep" leaves the connection open.
    """

    def __init__(self, answer, tls=None, address="127.0.0.1", port=0):
        self.asked = []
        self.connections = 0
        self._answer = answer
        self._tls = tls
        self._open = []
        self._listener = socket.create_server((address, port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.host = f"{address}:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}/feed"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            while request := self._request(connection):
                self.asked.append(request)
                if isinstance(self._answer, bytes):
                    connection.sendall(self._answer)
                    break
                if self._answer(connection, request) != "keep":
                    break
        with contextlib.suppress(OSError):
            connection.close()

    def _request(self, connection):
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(65536)
            if not data:
                return ""
            request += data
        return request.decode("latin-1")

    def close(self):
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def response(body=b"", *headers, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(to, status="302 Found"):
    return response(b"moved", f"Location: {to}", status=status)


def kept(answers):
    """Answers for paths, on connections that stay open; a path that is not there is a 404."""

    def answer(connection, request):
        path = request.split()[1]
        connection.sendall(answers.get(path, response(b"no", status="404 Not Found")))
        return "keep"

    return answer


def header(request, name):
    return next(
        (line.partition(": ")[2] for line in request.split("\r\n") if line.lower().startswith(f"{name}:")), None
    )


def forged(names):
    """A look-up that knows names of its own, each with its addresses; every other is asked of the system."""

    def resolve(host, port, *args, **kwargs):
        if host not in names:
            return socket.getaddrinfo(host, port, *args, **kwargs)
        found = []
        for address in names[host]:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            place = (address, port, 0, 0) if ":" in address else (address, port)
            found.append((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place))
        return found

    return resolve
