import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Agent(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # /health
        self.answer({"status": "healthy"})

    def do_POST(self):  # /query
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = job["args"]["text"]
        sentences = [s.strip() for s in text.split(".") if s.strip()]
        longest = max(sentences, key=len, default="")
        self.answer({"status": "success", "data": {"summary": longest, "sentences": len(sentences), "words": len(text.split())}})

    def answer(self, body):
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Agent).serve_forever()
