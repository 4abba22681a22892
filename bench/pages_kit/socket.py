"""A WebSocket client (RFC 6455), as far as Chromium's debugging port needs one: text frames, no extensions."""

import base64
import json
import os
import socket
import struct
from urllib.parse import urlsplit


class WebSocket:
    def __init__(self, url, timeout_s=60):
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout_s)
        self.rest = b""
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        while b"\r\n\r\n" not in self.rest:
            self.rest += self._more()
        answer, self.rest = self.rest.split(b"\r\n\r\n", 1)
        if b" 101 " not in answer.split(b"\r\n", 1)[0]:
            raise ConnectionError(answer.decode(errors="replace"))

    def _more(self):
        more = self.socket.recv(1 << 16)
        if not more:
            raise ConnectionError("the browser has closed the connection")
        return more

    def _take(self, count):
        while len(self.rest) < count:
            self.rest += self._more()
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def send(self, message):
        data, mask = json.dumps(message).encode(), os.urandom(4)
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", 0x81, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x81, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x81, 0x80 | 127, size)
        # XOR as one number: a script of half a megabyte is sent for every page.
        long_mask = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        masked = (int.from_bytes(data, "big") ^ long_mask).to_bytes(size, "big")
        self.socket.sendall(head + mask + masked)

    def receive(self):
        whole = b""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self._take(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._take(8))
            data = self._take(size)
            kind = first & 0x0F
            if kind == 8:
                raise ConnectionError("the browser says goodbye")
            if kind in (0, 1):
                whole += data
                if first & 0x80:
                    return json.loads(whole)

    def close(self):
        self.socket.close()
