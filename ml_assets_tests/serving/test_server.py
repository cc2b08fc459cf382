import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from toy_world import SPECS, house_model, house_rows, publish, served, toy_host

from ml_assets.errors import ServingError, SettingError
from ml_assets.serving.app import create_app
from ml_assets.serving.prediction_log import PredictionLog
from ml_assets.serving.probe import probe
from ml_assets.serving.record import ServerRecord
from ml_assets.serving.server import serve

SCRIPT = Path(__file__).with_name("toy_world.py")


@pytest.fixture
def home(tmp_path):
    publish(tmp_path / "champions", "houses", "1", house_model())
    return tmp_path


@contextmanager
def server_process(home, port=0):
    process = subprocess.Popen([sys.executable, SCRIPT, home, str(port)], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while probe(home / "server.json", timeout=5).state != "answers":
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@contextmanager
def server_thread(home):
    with toy_host(home / "champions", poll_seconds=0.02) as host:
        app = create_app(host, PredictionLog(home / "predictions.db"), SPECS, started_at=time.time(), version="0")
        with served(app, home / "server.json") as url:
            yield url, host


def some_app(home):
    return create_app(
        toy_host(home / "champions"),
        PredictionLog(home / "predictions.db"),
        SPECS,
        started_at=0.0,
        version="0",
    )


def test_a_running_server_is_found_answers_and_leaves_nothing_behind(home):
    record = home / "server.json"
    with server_process(home) as process:
        found = probe(record, timeout=5)
        assert (found.versions["houses"], found.versions["plants"]) == ("1", None)
        assert "no champion yet" in found.errors["plants"]
        assert ServerRecord.read(record).pid == process.pid
        rows = house_rows(5)
        answer = httpx.post(f"{found.url}/v1/datasets/houses/predict", json={"rows": rows})
        assert answer.json()["model"]["version"] == "1"
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert process.stderr.read() == b""
    assert not record.exists()
    assert PredictionLog(home / "predictions.db").count_rows("houses", since=0.0) == 5
    assert probe(record, timeout=5).state == "no server"


def test_the_record_of_a_killed_server_is_seen_through_and_the_next_server_replaces_it(home):
    record = home / "server.json"
    with server_process(home) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert record.exists()
    found = probe(record, timeout=5)
    assert found.state == "no server"
    assert "was killed" in found.message
    assert "ml-assets serve" in found.message
    with server_thread(home) as (url, _):
        assert ServerRecord.read(record).url == url
        assert probe(record, timeout=5).state == "answers"


def test_no_request_fails_while_champions_change_under_load(home):
    levels = {"1": 0.0, "2": 1000.0, "3": 2000.0}
    rows = house_rows(20)
    expected = [2 * row["area"] for row in rows]
    done = threading.Event()

    def ask(client):
        seen = []
        while not done.is_set():
            response = client.post("/v1/datasets/houses/predict", json={"rows": rows})
            assert response.status_code == 200, response.text
            answer = response.json()
            level = levels[answer["model"]["version"]]
            found = [p["prediction"] - level for p in answer["predictions"]]
            assert found == pytest.approx(expected)
            seen.append(answer["request_id"])
        return seen

    with server_thread(home) as (url, host), httpx.Client(base_url=url) as client, ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, client) for _ in range(4)]
        for version in ("2", "3"):
            time.sleep(0.2)
            publish(home / "champions", "houses", version, house_model(levels[version]))
            deadline = time.monotonic() + 20
            while host.hosted("houses").champion.version != version:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        time.sleep(0.2)
        done.set()
        ids = [i for future in asking for i in future.result()]
    assert len(set(ids)) == len(ids)
    window = PredictionLog(home / "predictions.db").window("houses", since=0.0, columns=["area"])
    assert len(window) == 20 * len(ids)
    assert set(window["model_version"]) == {"1", "2", "3"}


def test_a_champion_whose_bytes_changed_leaves_the_old_one_answering_and_shows(home):
    with server_thread(home) as (url, host):
        champion = publish(home / "champions", "houses", "2", house_model(1000))
        Path(champion.path).write_bytes(b"something else")
        deadline = time.monotonic() + 20
        while not (host.hosted("houses").error or "").startswith("version 2 could not be loaded"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        answer = httpx.post(f"{url}/v1/datasets/houses/predict", json={"rows": house_rows(1)}).json()
        assert answer["model"]["version"] == "1"
        found = probe(home / "server.json", timeout=5)
        assert found.versions["houses"] == "1"
        assert "SHA-256" in found.errors["houses"]


def test_a_slow_prediction_does_not_hold_up_others(home):
    with server_thread(home) as (url, host), ThreadPoolExecutor(2) as pool:
        hosted = host.hosted("houses")
        quick, release = hosted.predictor, threading.Event()

        class Slow:
            def predict(self, frame, coverage=None):
                release.wait(30)
                return quick.predict(frame)

        object.__setattr__(hosted, "predictor", Slow())
        body = {"rows": house_rows(1)}
        slow = pool.submit(httpx.post, f"{url}/v1/datasets/houses/predict", json=body, timeout=60)
        assert httpx.get(f"{url}/health", timeout=10).status_code == 200
        assert not slow.done()
        release.set()
        assert slow.result().status_code == 200


def test_a_second_server_of_one_home_is_refused(home):
    with server_thread(home) as _, pytest.raises(ServingError, match="runs already"):
        serve(some_app(home), port=0, record=home / "server.json")


def test_a_taken_port_is_an_error_with_the_remedy(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServingError, match=f"port {port} is taken"):
            serve(some_app(home), port=port, record=home / "server.json")
    assert not (home / "server.json").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_an_address_others_can_reach_has_to_be_allowed(home, host):
    with pytest.raises(SettingError, match="reached from other machines"):
        serve(some_app(home), host=host, port=0, record=home / "server.json")


def test_a_port_that_is_none_is_refused(home):
    with pytest.raises(SettingError, match="65535"):
        serve(some_app(home), port=70000, record=home / "server.json")


def test_probe_without_a_record_says_how_to_start(tmp_path):
    found = probe(tmp_path / "server.json", timeout=1)
    assert found.state == "no server"
    assert "ml-assets serve" in found.message


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b'{"url": 1, "pid": "x"}'])
def test_probe_of_a_damaged_record_says_so(tmp_path, content):
    (tmp_path / "server.json").write_bytes(content)
    found = probe(tmp_path / "server.json", timeout=1)
    assert found.state == "broken"
    assert "no server record" in found.message


@contextmanager
def stranger(reply):
    """Something that is not ours and answers every connection with `reply`; None keeps silent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held = []

        def answer():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                held.append(connection)
                if reply is not None:
                    connection.recv(65536)
                    connection.sendall(reply)
                    connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


def http(document):
    body = json.dumps(document).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    "reply",
    [None, b"SSH-2.0-whatever\r\n", b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", http([1]), http({})],
)
def test_probe_of_something_that_is_no_server_of_ours_is_broken_and_ends_in_time(tmp_path, reply):
    with stranger(reply) as url:
        ServerRecord(url, os.getpid(), 0.0).write(tmp_path / "server.json")
        started = time.monotonic()
        found = probe(tmp_path / "server.json", timeout=0.5)
        assert found.state == "broken"
        assert url in found.message
        assert time.monotonic() - started < 5


def test_probe_tells_another_homes_server_from_the_one_recorded(tmp_path):
    with stranger(http({"pid": 1, "datasets": {}, "log": {"failures": 0}})) as url:
        ServerRecord(url, 2**22 + 1, 0.0).write(tmp_path / "server.json")
        found = probe(tmp_path / "server.json", timeout=5)
    assert found.state == "no server"
    assert "another program" in found.message
