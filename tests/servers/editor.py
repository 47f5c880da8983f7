"""An editor's side of the YAML language server: what is wrong with a file, and what may be written."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from servers.patience import HUNG_SECONDS, ended_when_hung

REPOSITORY = Path(__file__).parents[2]
SERVER: Final = REPOSITORY / "node_modules/yaml-language-server/bin/yaml-language-server"
SETTINGS: Final = {"yaml": {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}}


class Editor:
    """One server, spoken to over its pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.number = 0
        self.wrong: dict[str, list[dict[str, Any]]] = {}

    def open(self, path: Path, text: str) -> list[dict[str, Any]]:
        """What is wrong with a file of this text, as the editor marks it."""
        uri = path.as_uri()
        self.wrong.pop(uri, None)
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        while uri not in self.wrong:
            self._heard()
        return self.wrong[uri]

    def offered(self, path: Path, line: int, column: int) -> dict[str, str]:
        """What may be written there, with what is said of it."""
        found = self.ask("textDocument/completion", self._place(path, line, column))
        items = found["items"] if isinstance(found, dict) else found
        return {each["label"]: json.dumps(each.get("documentation", "")) for each in items}

    def said(self, path: Path, line: int, column: int) -> str:
        """What is said of what stands there."""
        return json.dumps(self.ask("textDocument/hover", self._place(path, line, column)), ensure_ascii=False)

    def ask(self, method: str, params: Any) -> Any:
        self.number += 1
        self._send({"id": self.number, "method": method, "params": params})
        while True:
            told = self._heard()
            if told.get("id") == self.number and "method" not in told:
                assert "error" not in told, told
                return told["result"]

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    @staticmethod
    def _place(path: Path, line: int, column: int) -> dict[str, Any]:
        return {"textDocument": {"uri": path.as_uri()}, "position": {"line": line, "character": column}}

    def _send(self, content: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **content}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def _heard(self) -> dict[str, Any]:
        """The next message; questions of the server are answered."""
        assert self.process.stdout is not None
        size = 0
        while (line := self.process.stdout.readline().strip()) or not size:
            assert line or size or self.process.poll() is None, "the language server ended"
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        told = json.loads(self.process.stdout.read(size))
        if told.get("method") == "textDocument/publishDiagnostics":
            self.wrong[told["params"]["uri"]] = told["params"]["diagnostics"]
        elif "method" in told and "id" in told:
            asked = told.get("params") or {}
            sections = [SETTINGS.get(each.get("section"), {}) for each in asked.get("items", [])]
            self._send({"id": told["id"], "result": sections if told["method"] == "workspace/configuration" else None})
        return told


@contextmanager
def editing(folder: Path) -> Iterator[Editor]:
    """An editor of the files of a folder; skips where the server is not installed."""
    if shutil.which("node") is None or not SERVER.exists():
        pytest.skip("the YAML language server is not installed here: make node_modules/.installed")
    command = ["node", str(SERVER), "--stdio"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        try:
            editor = Editor(process)
            capabilities = {"workspace": {"configuration": True}, "textDocument": {"completion": {}, "hover": {}}}
            root = {"processId": os.getpid(), "rootUri": folder.as_uri(), "capabilities": capabilities}
            editor.ask("initialize", root)
            editor.tell("initialized", {})
            editor.tell("workspace/didChangeConfiguration", {"settings": SETTINGS})
            with ended_when_hung(process, HUNG_SECONDS):
                yield editor
        finally:
            process.kill()
