"""WandbLogger against real wandb, offline and online: what it writes, what it sends, and how long an outage costs.

The server is ours, on 127.0.0.1, and every run lives in a process of its own whose home is the test's folder.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import pytest

from tests.wandb_files import written

REPOSITORY = Path(__file__).parents[2]
ENTITY = {"id": "e", "name": "tester"}
TIMEOUT = 2.0
NOWHERE = "http://127.0.0.1:9"  # the discard port: refuses
SLACK = 5.0  # seconds for two process starts on a busy machine

RUN = """
import json, sys, time
from pathlib import Path
from mtl_bench.training.loggers import RunInfo, WandbLogger

mode, folder, timeout, batches = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), json.loads(sys.argv[4])
config = {"method": {"name": "pcgrad", "max_norm": 1.5}, "tasks": ["left", "right"]}
info = RunInfo("digits/pcgrad/seed-3", "f" * 64, "f" * 12 + "-3", folder, config, ("pcgrad",))
logger = WandbLogger(mode=mode, timeout=timeout)
times = [time.perf_counter()]
logger.start(info)
times.append(time.perf_counter())
print("training")
for batch in batches:
    logger.log({"train/left/loss": 1.0 / batch, "weights/left": 0.5}, batch)
times.append(time.perf_counter())
logger.finish({"test/left/accuracy": 0.75})
times.append(time.perf_counter())
print(json.dumps({"seconds": [after - before for before, after in zip(times, times[1:])]}))
"""


PICTURES = """
import sys
from pathlib import Path
import numpy as np
from mtl_bench.training.loggers import RunInfo, WandbLogger

logger = WandbLogger()
logger.start(RunInfo("rooms/pcgrad/seed-3", "f" * 64, "f" * 12 + "-3", Path(sys.argv[1]), {}))
draw = lambda: {f"predictions/{n}": np.full((2, 3, 3), 50 + n, np.uint8) for n in range(2)}
logger.images(draw, "input | far: target, prediction", 20)
logger.finish({})
"""


def environment(folder: Path, url: str) -> dict[str, str]:
    """Ours without proxies, keys and W&B settings; everything wandb writes goes below `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("WANDB_")}
    return {name: value for name, value in kept.items() if not name.upper().endswith("_PROXY")} | {
        "HOME": str(folder),
        "NETRC": str(folder / "netrc"),
        "PYTHONPATH": str(REPOSITORY),
        "WANDB_CONFIG_DIR": str(folder / "config"),
        "WANDB_CACHE_DIR": str(folder / "cache"),
        "WANDB_BASE_URL": url,
        "WANDB_API_KEY": "0" * 40,
    }


def call(folder: Path, url: str, *command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *command],
        env=environment(folder, url),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done


def run_logger(folder: Path, mode: str, url: str = NOWHERE, batches: tuple[int, ...] = (10, 20)) -> dict[str, Any]:
    """Seconds of start, logging and finish, of the whole process, and what it said."""
    before = time.perf_counter()
    done = call(folder, url, "-c", RUN, mode, str(folder), str(TIMEOUT), json.dumps(batches))
    return json.loads(done.stdout.splitlines()[-1]) | {"process": time.perf_counter() - before, "stderr": done.stderr}


class Server(ThreadingHTTPServer):
    """As much of the W&B server as a run needs; it remembers the lines that arrive."""

    def __init__(self, fails_after_init: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.fails_after_init = fails_after_init
        self.bucket: dict[str, Any] = {}
        self.lines: dict[str, list[dict[str, Any]]] = {}
        self.offsets: list[int] = []
        self.operations: list[str] = []

    def handle_error(self, *_: object) -> None:
        """wandb drops its idle connections when it exits; that is no error."""

    def graphql(self, query: dict[str, Any]) -> dict[str, Any]:
        self.operations.append(query["operationName"])
        variables = query["variables"]
        match query["operationName"]:
            case "RunResumeStatus":
                return {"model": {"id": "m", "name": "p", "entity": ENTITY, "bucket": self.resumable()}}
            case "UpsertBucket":
                inserted = not self.bucket
                self.bucket |= {name: value for name, value in variables.items() if value is not None}
                project = {"id": "p", "name": variables["project"], "entity": ENTITY}
                bucket = {"id": "b", "name": variables["name"], "displayName": self.bucket["displayName"]}
                return {"upsertBucket": {"bucket": bucket | {"project": project}, "inserted": inserted}}
            case "CreateRunFiles":
                files = [{"name": name, "uploadUrl": f"{self.url}/upload"} for name in variables["files"]]
                return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        return {}

    def resumable(self) -> dict[str, Any] | None:
        if not self.bucket:
            return None
        history = self.lines["wandb-history.jsonl"]
        tail = {"historyTail": json.dumps([json.dumps(history[-1])]), "eventsTail": "[]"}
        counts = {"historyLineCount": len(history), "eventsLineCount": 0, "logLineCount": 0}
        run = {"id": "b", "name": self.bucket["name"], "config": self.bucket["config"], "wandbConfig": '{"t": {}}'}
        return run | tail | counts | {"summaryMetrics": json.dumps(self.lines["wandb-summary.json"][-1])}

    def file_stream(self, body: dict[str, Any]) -> None:
        for name, chunk in body.get("files", {}).items():
            self.lines.setdefault(name, []).extend(json.loads(line) for line in chunk["content"])
            if name == "wandb-history.jsonl":
                self.offsets.append(chunk["offset"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.fails_after_init and "UpsertBucket" in self.server.operations:
            return self.answer(503, {})
        if self.path == "/graphql":
            return self.answer(200, {"data": self.server.graphql(json.loads(body))})
        if self.path.endswith("/file_stream"):
            self.server.file_stream(json.loads(body))
        return self.answer(200, {})

    do_GET = do_PUT = do_POST

    def answer(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(fails_after_init: bool = False) -> Iterator[Server]:
    with Server(fails_after_init) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offline")
    assert run_logger(folder, "offline")["stderr"] == ""
    return folder


def test_an_offline_run_can_be_read_back(offline: Path) -> None:
    found = written(offline)
    assert (found["id"], found["group"]) == ("ffffffffffff-3", "f" * 64)
    assert (found["name"], found["project"], found["tags"]) == ("digits/pcgrad/seed-3", "mtl_bench", ["pcgrad"])
    assert found["config"]["method"] == {"name": "pcgrad", "max_norm": 1.5}
    assert found["config"]["tasks"] == ["left", "right"]
    assert [row["batch"] for row in found["history"]] == [10, 20]
    assert [row["train/left/loss"] for row in found["history"]] == [0.1, 0.05]
    assert ("*", "batch") in found["metrics"]
    assert found["summary"]["test/left/accuracy"] == 0.75


def test_pictures_are_kept_with_their_caption(tmp_path: Path) -> None:
    call(tmp_path, NOWHERE, "-c", PICTURES, str(tmp_path))
    (row,) = written(tmp_path)["history"]
    assert row["batch"] == 20
    for n in range(2):
        width, height, caption, path = (row[f"predictions/{n}/{key}"] for key in ("width", "height", "caption", "path"))
        assert (width, height, caption) == (3, 2, "input | far: target, prediction")
        (file,) = tmp_path.glob(f"wandb/offline-run-*/files/{path}")
        assert file.read_bytes().startswith(b"\x89PNG")


def test_neither_packages_nor_machine_nor_console_are_collected(offline: Path) -> None:
    (files,) = offline.glob("wandb/offline-run-*/files")
    assert list(files.iterdir()) == []
    assert written(offline)["kinds"].isdisjoint({"environment", "stats", "output", "output_raw"})


def test_scalars_arrive_online_and_a_resumed_run_continues_them(tmp_path: Path) -> None:
    with serving() as server:
        first = run_logger(tmp_path, "online", server.url)
        run_logger(tmp_path, "online", server.url, batches=(30,))
    assert first["stderr"] == ""
    history = server.lines["wandb-history.jsonl"]
    assert [(row["batch"], row["weights/left"]) for row in history] == [(10, 0.5), (20, 0.5), (30, 0.5)]
    assert [row["_step"] for row in history] == [0, 1, 2]
    assert server.offsets[-1] == 2
    assert server.lines["wandb-summary.json"][-1]["test/left/accuracy"] == 0.75
    assert (server.bucket["groupName"], server.bucket["name"]) == ("f" * 64, "ffffffffffff-3")
    assert json.loads(server.bucket["config"])["method"]["value"]["name"] == "pcgrad"


def sent_by_the_advice(warning: str, folder: Path) -> list[int]:
    """Runs the `wandb sync …` command that a warning names; the batches that reach the server."""
    (command,) = re.findall(r"wandb (sync (?:--\S+ )?\S+)", warning)
    with serving() as server:
        call(folder, server.url, "-m", "wandb", *command.split())
    return [row["batch"] for row in server.lines["wandb-history.jsonl"]]


@pytest.mark.parametrize("server", ["refuses", "hangs"])
def test_without_a_server_the_run_goes_on_offline(tmp_path: Path, server: str) -> None:
    with create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}" if server == "hangs" else NOWHERE
        ran = run_logger(tmp_path, "online", url)
    start, _, finish = ran["seconds"]
    assert TIMEOUT * 0.9 < start < TIMEOUT + SLACK
    assert finish < SLACK
    assert ran["process"] < TIMEOUT + 2 * SLACK
    assert ran["stderr"].count("\n") == 1
    assert sent_by_the_advice(ran["stderr"], tmp_path) == [10, 20]


def test_an_outage_while_training_costs_at_most_the_timeout(tmp_path: Path) -> None:
    with serving(fails_after_init=True) as server:
        ran = run_logger(tmp_path, "online", server.url)
    start, logging, finish = ran["seconds"]
    assert start < TIMEOUT + SLACK
    assert logging < 0.5
    assert finish < TIMEOUT + SLACK
    assert ran["process"] < 2 * TIMEOUT + 2 * SLACK
    assert ran["stderr"].count("\n") == 1
    assert sent_by_the_advice(ran["stderr"], tmp_path) == [10, 20]
