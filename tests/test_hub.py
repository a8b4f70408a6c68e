"""Pushing and pulling agents: a hub in a folder here; in the learning wing huggingface_hub talks to one over http."""

import base64
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lsnn_rl import RecurrentPPO, load_agent, push_agent, save_agent
from lsnn_rl.errors import BrokenFile, LSNNError, MissingFile, MissingPackage

ROOT = Path(__file__).resolve().parent.parent
OBS = np.linspace(0, 0.5, 24, dtype=np.float32).reshape(4, 6)


class FolderHub:
    """What is used of huggingface_hub, over a folder: one repository is one folder in it."""

    def __init__(self, root):
        self.root = root

    def HfApi(self, token=None):
        return self

    def create_repo(self, repo_id, private, exist_ok):
        (self.root / repo_id).mkdir(parents=True, exist_ok=exist_ok)
        return f"https://hub.example/{repo_id}"

    def upload_folder(self, repo_id, folder_path, commit_message):
        shutil.copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)

    def snapshot_download(self, repo_id, revision, allow_patterns):
        if not (self.root / repo_id).is_dir():
            raise OSError("404 Client Error.\n\nRepository Not Found")
        return str(self.root / repo_id)


class Payload:
    """Unpickling it would leave a file behind."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    made = FolderHub(tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", made)
    return made


@pytest.fixture(scope="module")
def model():
    options = {"regular": 8, "adaptive": 6, "readouts": 5}
    return RecurrentPPO("LSNNPolicy", "LSNNArena-v0", n_envs=2, policy_kwargs=options, seed=0)


def first_actions(agent):
    return agent.act(OBS, agent.initial_state(4), np.ones(4, bool))[0]


# ---- a hub in a folder -----------------------------------------------------------------------------------------------


def test_a_pushed_model_acts_the_same_when_it_is_pulled(hub, model):
    address = push_agent(model, "someone/spikes")

    agent = load_agent("hf:someone/spikes")
    assert address == "https://hub.example/someone/spikes" and agent.name == "hf:someone/spikes"
    assert agent.env_id == "LSNNArena-v0"
    assert np.array_equal(first_actions(agent), model.predict(OBS, deterministic=True)[0])


def test_only_the_agent_and_its_page_leave_the_folder(hub, model, tmp_path):
    folder = save_agent(model, tmp_path / "run" / "agent")
    (folder / "notes.pkl").write_bytes(b"private")

    push_agent(tmp_path / "run", "someone/spikes")

    assert {file.name for file in (hub.root / "someone/spikes").iterdir()} == {
        "agent.json",
        "agent.safetensors",
        "README.md",
    }


def test_the_page_of_an_agent_of_the_zoo_tells_its_score_and_how_to_watch_it(hub):
    push_agent("LSNNArena-v0/lsnn", "hf:someone/arena")

    page = (hub.root / "someone/arena/README.md").read_text()
    score = json.loads((hub.root / "someone/arena/card.json").read_text())["score"]["mean"]
    assert f"{score:.2f}" in page and "lsnn-rl enjoy hf:someone/arena" in page
    assert page.startswith("---\nlibrary_name: lsnn-rl\n")


@pytest.mark.parametrize("name", ["agent.safetensors", "agent.json"])
def test_a_pickle_in_the_place_of_a_file_is_refused_and_not_opened(hub, model, tmp_path, name):
    push_agent(model, "someone/spikes")
    crafted = pickle.dumps(Payload(tmp_path / "trace"))
    (hub.root / "someone/spikes" / name).write_bytes(crafted)

    with pytest.raises(BrokenFile, match="looks like a pickle"):
        load_agent("hf:someone/spikes")

    assert not (tmp_path / "trace").exists()


def test_an_agent_that_nobody_could_load_is_not_pushed(hub, model, tmp_path):
    folder = save_agent(model, tmp_path / "agent")
    (folder / "agent.safetensors").write_bytes(b"cut short")

    with pytest.raises(BrokenFile, match="checksum"):
        push_agent(folder, "someone/spikes")

    assert not hub.root.exists()


def test_the_command_line_publishes_an_agent_and_says_how_to_watch_it(hub, capsys):
    from lsnn_rl.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["push", "LSNNArena-v0/lsnn", "someone/arena"])

    assert ended.value.code == 0 and (hub.root / "someone/arena/agent.json").is_file()
    assert "lsnn-rl enjoy hf:someone/arena" in capsys.readouterr().err


def test_a_missing_repository_is_answered_with_how_to_write_its_name(hub):
    with pytest.raises(MissingFile, match=r"There is no agent at hf:someone/nothing: 404 Client Error\. Write hf:user"):
        load_agent("hf:someone/nothing")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)

    with pytest.raises(MissingPackage, match=r"pip install 'lsnn-rl\[hub\]'"):
        load_agent("hf:someone/spikes")
    assert issubclass(MissingPackage, LSNNError) and issubclass(MissingPackage, ImportError)


# ---- a hub behind http -----------------------------------------------------------------------------------------------


class HubServer(BaseHTTPRequestHandler):
    """The few questions that huggingface_hub asks to make a repository, write a commit and read it back."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    protocol_version = "HTTP/1.1"
    commit = "0" * 40

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/repos/create":
            repo = "/".join([json.loads(body)["organization"], json.loads(body)["name"]])
            self.answer({"url": f"http://{self.headers['Host']}/{repo}", "id": repo})
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            self.answer({"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.answer(
                {
                    "commitUrl": f"http://{self.headers['Host']}/someone/spikes/commit/{self.commit}",
                    "commitOid": self.commit,
                }
            )
        else:
            self.answer({}, 200)

    def do_GET(self):
        if "/resolve/" in self.path:
            self.send(self.files[self.path.rpartition("/")[2]])
        elif "/tree/" in self.path:
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in self.files.items()
            ]
            self.answer(entries)
        else:
            self.answer({"id": "a/b", "sha": self.commit, "siblings": [{"rfilename": name} for name in self.files]})

    def do_HEAD(self):
        self.send(self.files[self.path.rpartition("/")[2]], body=False)

    def answer(self, data, status=200):
        self.send(json.dumps(data).encode(), status)

    def send(self, data, status=200, body=True):
        self.send_response(status)
        headers = {"Content-Length": len(data), "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
        for name, value in {**headers, "X-Repo-Commit": self.commit, "Content-Type": "application/json"}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("localhost", 0), HubServer)
    HubServer.files = {}
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield SimpleNamespace(url=f"http://localhost:{made.server_port}", files=HubServer.files)
    made.shutdown()


@pytest.mark.slow
def test_huggingface_hub_itself_carries_an_agent_there_and_back(borrow, server, model, tmp_path):
    needs = (
        "huggingface_hub",
        "hf-xet",
        "httpx2",
        "httpcore2",
        "anyio",
        "truststore",
        "h11",
        "idna",
        "certifi",
        "click",
    )
    path = borrow(*needs)
    folder = save_agent(model, tmp_path / "agent")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(path)]),
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "no_proxy": "localhost",
    }
    code = f"""
import json, numpy as np
from lsnn_rl import load_agent, push_agent
push_agent({str(folder)!r}, "someone/spikes", token="hf_test")
agent = load_agent("hf:someone/spikes")
print(json.dumps(agent.act(np.array({OBS.tolist()}, np.float32), agent.initial_state(4), np.ones(4, bool))[0].tolist()))
"""

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr[-3000:]
    actions = json.loads(done.stdout.splitlines()[-1])
    assert np.allclose(actions, model.predict(OBS, deterministic=True)[0], atol=1e-6)
    assert set(server.files) == {"agent.json", "agent.safetensors", "README.md"}
