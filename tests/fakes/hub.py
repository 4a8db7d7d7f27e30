"""The part of the Hugging Face hub's HTTP interface that an upload uses, on this machine."""

import base64
import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_of_nobody"
LARGE = (".parquet", ".tar")


class FakeHub(ThreadingHTTPServer):
    """Keeps what is committed: `repositories[name][path]` are a file's bytes.

    `refuse` maps the beginning of a path to the status and message that it is answered with.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories, self.private, self.large, self.sent = {}, {}, {}, []
        self.refuse = {}

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, content, status=200, headers=()):
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), *headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self):
        data = self.body()
        number = hashlib.sha256(data).hexdigest()
        assert self.path == f"/large/{number}"
        self.server.large[number] = data
        self.server.sent.append(number)
        self.answer({})

    def do_POST(self):
        data = self.body()
        for path, (status, message) in self.server.refuse.items():
            if self.path.startswith(path):
                return self.answer({"error": message}, status, [("X-Error-Message", message)])
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.answer({"error": "Invalid credentials"}, 401)
        if self.path == "/api/repos/create":
            return self.create(json.loads(data))
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        name = self.path.removeprefix("/api/datasets/").removeprefix("/datasets/")
        if self.path.endswith("/preupload/main"):
            return self.answer({"files": [mode(each) for each in json.loads(data)["files"]]})
        if self.path.endswith(".git/info/lfs/objects/batch"):
            objects = json.loads(data)["objects"]
            return self.answer({"objects": [self.where(each) for each in objects]})
        assert name.endswith("/commit/main"), self.path
        return self.commit(name.removesuffix("/commit/main"), data)

    def create(self, wanted):
        assert wanted["type"] == "dataset"
        name = f"{wanted['organization']}/{wanted['name']}"
        url = f"{self.server.address}/datasets/{name}"
        if name in self.server.repositories:
            return self.answer({"error": "You already created it", "url": url}, 409)
        self.server.repositories[name] = {}
        self.server.private[name] = wanted.get("visibility") == "private"
        return self.answer({"url": url, "id": name, "name": name})

    def where(self, wanted):
        known = wanted["oid"] in self.server.large
        place = {"upload": {"href": f"{self.server.address}/large/{wanted['oid']}"}}
        return {**wanted, **({} if known else {"actions": place})}

    def commit(self, name, data):
        files = self.server.repositories[name]
        for line in map(json.loads, data.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            else:
                assert line["key"] == "header"
                self.server.sent.append(value["summary"])
        self.answer(
            {"commitUrl": f"{self.server.address}/datasets/{name}/commit/0", "commitOid": "0" * 40}
        )


def mode(file):
    kind = "lfs" if file["path"].endswith(LARGE) else "regular"
    return {"path": file["path"], "uploadMode": kind, "shouldIgnore": False, "oid": None}


@contextlib.contextmanager
def open_hub():
    with FakeHub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
