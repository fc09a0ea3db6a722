"""A stand-in for the HTTP interface of the Hugging Face Hub, on a loopback port.

It is written from the documentation of that interface (https://huggingface.co/docs/hub/api, the
OpenAPI description at /.well-known/openapi.json, and the Git LFS batch protocol) and holds
repositories in memory. It shows that the requests are answered as documented, not that the real
Hub accepts them.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_valid"
LARGE = (".onnx", ".safetensors")
"""Files that the Hub keeps as Git LFS objects."""


@dataclass
class Hub:
    """State of the stand-in.

    Attributes:
        url: of the server.
        repositories: files of each repository by name; the newest commit alone.
        objects: LFS objects by SHA-256.
        requests: method and path of each request.
    """

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def revision(self, name: str) -> str:
        """Return a hash of a repository's content in the form of a commit's."""
        hasher = hashlib.sha1(usedforsecurity=False)
        for path, content in sorted(self.repositories[name].items()):
            hasher.update(path.encode() + hashlib.sha256(content).digest())
        return hasher.hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of `create_repo`, `create_commit`, `model_info` and downloads."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format, *args):
        """Write nothing."""

    def do_GET(self):
        self.hub.requests.append(f"{self.command} {self.path}")
        path = self.path.split("?")[0]
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
            return self.model_info(*found.groups())
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self.resolve(*found.groups())
        return self.answer(404, {"error": "not found"})

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        self.hub.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "Invalid user token."})
        if self.path == "/api/repos/create":
            return self.create(json.loads(body))
        if found := re.fullmatch(r"/api/models/(.+)/preupload/main", self.path):
            files = [file["path"] for file in json.loads(body)["files"]]
            modes = {path: "lfs" if path.endswith(LARGE) else "regular" for path in files}
            rows = [{"path": p, "uploadMode": m, "shouldIgnore": False} for p, m in modes.items()]
            return self.answer(200, {"files": rows})
        if re.fullmatch(r"/.+\.git/info/lfs/objects/batch", self.path):
            rows = [
                {**row, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{row['oid']}"}}}
                for row in json.loads(body)["objects"]
            ]
            return self.answer(200, {"transfer": "basic", "objects": rows})
        if found := re.fullmatch(r"/api/models/(.+)/commit/main", self.path):
            return self.commit(found[1], [json.loads(line) for line in body.splitlines()])
        return self.answer(404, {"error": "not found"})

    def do_PUT(self):
        self.hub.requests.append(f"{self.command} {self.path}")
        content = self.rfile.read(int(self.headers["Content-Length"]))
        oid = self.path.split("/")[-1]
        right = hashlib.sha256(content).hexdigest() == oid
        self.hub.objects |= {oid: content} if right else {}
        return self.answer(200 if right else 400, {})

    def create(self, wanted):
        name = wanted["name"]
        full = f"{wanted.get('organization') or 'someone'}/{name}"
        if full in self.hub.repositories:
            return self.answer(409, {"error": "exists", "url": f"{self.hub.url}/{full}"})
        self.hub.repositories[full] = {}
        return self.answer(200, {"url": f"{self.hub.url}/{full}", "name": full, "id": full})

    def commit(self, name, lines):
        files = self.hub.repositories[name]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
        oid = self.hub.revision(name)
        url = f"{self.hub.url}/{name}/commit/{oid}"
        return self.answer(200, {"success": True, "commitOid": oid, "commitUrl": url})

    def model_info(self, name, revision):
        if name not in self.hub.repositories:
            return self.unknown_repository()
        if revision not in (None, "main", self.hub.revision(name)):
            headers = {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "no such revision"}
            return self.answer(404, {"error": "no such revision"}, headers)
        siblings = [{"rfilename": path} for path in sorted(self.hub.repositories[name])]
        sha = self.hub.revision(name)
        return self.answer(200, {"id": name, "modelId": name, "sha": sha, "siblings": siblings})

    def resolve(self, name, revision, path):
        content = self.hub.repositories.get(name, {}).get(path)
        if content is None:
            return self.unknown_repository()
        headers = {
            "X-Repo-Commit": self.hub.revision(name),
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Content-Type": "application/octet-stream",
        }
        return self.answer(200, content, headers)

    def unknown_repository(self):
        headers = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
        return self.answer(404, {"error": "Repository not found"}, headers)

    def answer(self, status, content, headers=None):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Run a stand-in until the block ends."""
    hub = Hub()
    handler = type("BoundHandler", (Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
