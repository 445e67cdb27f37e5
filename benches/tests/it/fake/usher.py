#!/usr/bin/env python3
"""Stands in for the gateway's binary in a comparison: joins, polls and forwards as the contract says, checking nothing.

Strict about what the comparison sends: a poll without a token or a request without its cookie is refused.
"""

import json
import re
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

config = open(sys.argv[sys.argv.index("--config") + 1], encoding="utf-8").read()
host, port = re.search(r'bind = "([\d.]+):(\d+)"', config).groups()
upstream = re.search(r'endpoints = \["(http://[\d.:]+)"\]', config)[1]


class Gateway(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        if self.path == "/_usher/open-house/join":
            self.answer(201, {"state": "admitted", "ticket": "a.b.c"})
        elif self.path == "/_usher/line/join":
            self.answer(201, {"state": "waiting", "position": 1, "poll_after_seconds": 1, "token": "d.e.f"})
        else:
            self.answer(404, {})

    def do_GET(self):
        if self.path == "/_usher/open-house":
            self.answer(200, {})
        elif self.path == "/_usher/line/position" and self.headers["usher-token"] == "d.e.f":
            self.answer(200, {"state": "waiting", "position": 1, "poll_after_seconds": 1})
        elif self.headers["cookie"] == "usher-ticket-open-house=a.b.c":
            with urllib.request.urlopen(upstream + self.path) as response:
                self.send(200, response.read())
        else:
            self.answer(429, {})

    def answer(self, status, document):
        self.send(status, json.dumps(document).encode())

    def send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer((host, int(port)), Gateway).serve_forever()
