#!/usr/bin/env python3
"""A WebSocket client for `claude-token-monitor`, with nothing but Python: a line for everything that changes.

    examples/websocket.py [ws://127.0.0.1:51888] [MODEL…]

Names of models may end in `*`. It connects again when the server comes back. See docs/websocket.md.
"""

import base64
import json
import os
import socket
import ssl
import struct
import sys
import time
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class Closed(Exception):
    """The server has gone, or has said goodbye."""


class WebSocket:
    """The part of RFC 6455 that a client of this server needs: text frames that are not split."""

    def __init__(self, url, path="/ws"):
        parts = urlsplit(url)
        secure = parts.scheme == "wss"
        self.socket = socket.create_connection((parts.hostname, parts.port or (443 if secure else 80)), timeout=90)
        if secure:
            self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=parts.hostname)
        self.file = self.socket.makefile("rb")
        origin = f"{'https' if secure else 'http'}://{parts.netloc}"
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", f"Origin: {origin}", "Connection: Upgrade"]
        lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        if os.environ.get("TOKEN"):
            lines.append(f"Authorization: Bearer {os.environ['TOKEN']}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = self.file.readline().decode().strip()
        while self.file.readline().strip():
            pass
        if " 101" not in status:
            raise Closed(f"the server answers {status}")

    def send(self, payload, kind=TEXT):
        """What a client sends is masked, and here it is always short."""
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([0x80 | kind, 0x80 | size]) if size < 126 else struct.pack("!BBH", 0x80 | kind, 0xFE, size)
        self.socket.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))

    def read(self, size):
        data = self.file.read(size)
        if len(data) < size:
            raise Closed("the connection was lost")
        return data

    def messages(self):
        """Every message, as it comes; pings are answered on the way."""
        while True:
            head, size = self.read(2)
            if size == 126:
                (size,) = struct.unpack("!H", self.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self.read(8))
            payload = self.read(size)
            kind = head & 0xF
            if kind == TEXT:
                yield json.loads(payload)
            elif kind == PING:
                self.send(payload, PONG)
            elif kind == CLOSE:
                raise Closed(payload[2:].decode() or "the server has closed the connection")


def show(message):
    if message["type"] == "initial_data":
        totals = message["data"]["totals"]
        print(f"{message['timestamp']}  {totals['total_tokens']} tokens so far", flush=True)
    elif message["type"] == "stats_update":
        model, totals = message["data"], message["totals"]
        line = f"{message['timestamp']}  {model['model']}  {model['total_tokens']} tokens"
        print(f"{line}, {totals['total_tokens']} in all", flush=True)
    elif message["type"] == "error":
        print(message["message"], file=sys.stderr)


def main(url="ws://127.0.0.1:51888", *models):
    wait = 1
    while True:
        try:
            connection = WebSocket(url)
            if models:
                connection.send(json.dumps({"type": "subscribe", "models": models}).encode())
            for message in connection.messages():
                wait = 1
                show(message)
        except (Closed, OSError) as error:
            print(f"{error}; again in {wait} s", file=sys.stderr)
            time.sleep(wait)
            wait = min(wait * 2, 60)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
