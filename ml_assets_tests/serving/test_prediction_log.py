import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ml_assets.errors import ContractError, StorageError, UserError
from ml_assets.serving.prediction_log import Label, LoggedRequest, LogSummary, PredictionLog

WRITER = """
import sys
from pathlib import Path
from ml_assets.serving.prediction_log import LoggedRequest, PredictionLog
log = PredictionLog(Path(sys.argv[1]))
for i in range(int(sys.argv[3])):
    asked = LoggedRequest(f"{sys.argv[2]}-{i}", "houses", "1", float(i), 1.0, 5, "answered")
    log.record(asked, [{"area": float(i)}] * 5, [{"prediction": 1.0}] * 5)
    if i == 0:
        sys.stdout.write("writing\\n")
        sys.stdout.flush()
"""


def asked(name, *, at=0.0, rows=1, status="answered", latency=1.0, version="1", dataset="houses"):
    return LoggedRequest(name, dataset, version, at, latency, rows, status)


def record(log, name, areas, **options):
    rows = [{"area": area, "colour": "red"} for area in areas]
    log.record(asked(name, rows=len(rows), **options), rows, [{"prediction": 2 * area} for area in areas])


@pytest.fixture
def log(tmp_path):
    return PredictionLog(tmp_path / "serving" / "predictions.db")


def test_answered_rows_come_back_in_order_with_their_request(log):
    record(log, "b", [3.0], at=20.0, version="2")
    record(log, "a", [1.0, 2.0], at=10.0)
    window = log.window("houses", since=0.0, columns=["colour", "area"])
    assert list(window.columns) == [
        "colour",
        "area",
        "prediction",
        "request_id",
        "position",
        "model_version",
        "received_at",
    ]
    assert window["area"].tolist() == [1.0, 2.0, 3.0]
    assert window["prediction"].tolist() == [2.0, 4.0, 6.0]
    assert window["request_id"].tolist() == ["a", "a", "b"]
    assert window["position"].tolist() == [0, 1, 0]
    assert window["model_version"].tolist() == ["1", "1", "2"]


def test_a_period_includes_its_start_and_excludes_its_end(log):
    for at in (1.0, 2.0, 3.0):
        record(log, f"at-{at}", [at], at=at)
    assert log.window("houses", since=1.0, until=3.0, columns=["area"])["area"].tolist() == [1.0, 2.0]
    assert log.count_rows("houses", since=2.0) == 2
    assert log.count_rows("houses", since=2.0, until=2.0) == 0


def test_an_empty_window_has_its_columns_and_other_datasets_stay_apart(log):
    record(log, "a", [1.0])
    window = log.window("plants", since=0.0, columns=["height"])
    assert window.empty
    assert "height" in window.columns
    assert log.count_rows("plants", since=0.0) == 0
    assert log.latest("plants") is None


def test_a_feature_that_was_not_logged_is_none(log):
    record(log, "a", [1.0])
    assert log.window("houses", since=0.0, columns=["new"])["new"].tolist() == [None]


def test_a_feature_named_like_a_column_of_the_window_is_refused_with_the_remedy(log):
    with pytest.raises(ContractError, match="rename the column"):
        log.window("houses", since=0.0, columns=["prediction"])


def test_the_summary_counts_refusals_and_failures_and_takes_latency_of_answers_only(log):
    for i in range(1, 21):
        record(log, f"a{i}", [1.0, 2.0], latency=float(i))
    log.record(asked("r", status="refused", latency=1000.0, version=None))
    log.record(asked("f", status="failed", latency=1000.0))
    assert log.summary("houses", since=0.0) == LogSummary(22, 1, 1, 40, 10.0, 19.0)
    assert log.summary("plants", since=0.0) == LogSummary(0, 0, 0, 0, None, None)


def test_latest_is_the_request_answered_last(log):
    record(log, "a", [1.0], at=5.0)
    record(log, "b", [1.0], at=9.0)
    log.record(asked("c", at=11.0, status="refused"))
    latest = log.latest("houses")
    assert latest is not None
    assert (latest.request_id, latest.received_at) == ("b", 9.0)


def test_a_late_label_joins_the_row_it_names_and_a_later_one_replaces_it(log):
    record(log, "a", [1.0, 2.0])
    log.add_labels("houses", [Label("a", 1, 5.0)], received_at=100.0)
    log.add_labels("houses", [Label("a", 1, 6.0)], received_at=200.0)
    labelled = log.labelled("houses", since=0.0)
    assert labelled[["prediction", "label", "labelled_at", "position"]].to_numpy().tolist() == [[4.0, 6.0, 200.0, 1]]
    assert log.labelled("houses", since=0.5).empty


@pytest.mark.parametrize(
    ("label", "complaint"),
    [
        (Label("other", 0, 1.0), "no answered request 'other'"),
        (Label("refused", 0, 1.0), "no answered request 'refused'"),
        (Label("a", 2, 1.0), "rows 0 to 1, no row 2"),
        (Label("a", -1, 1.0), "rows 0 to 1"),
    ],
)
def test_a_label_of_a_row_never_answered_is_refused_with_all_that_came_along(log, label, complaint):
    record(log, "a", [1.0, 2.0])
    log.record(asked("refused", status="refused"))
    with pytest.raises(UserError, match=complaint):
        log.add_labels("houses", [Label("a", 0, 1.0), label], received_at=1.0)
    with pytest.raises(UserError, match="no answered request 'a'"):
        log.add_labels("plants", [Label("a", 0, 1.0)], received_at=1.0)
    assert log.labelled("houses", since=0.0).empty


def test_threads_share_one_log(log):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: record(log, str(i), [1.0, 2.0]), range(60)))
    assert log.count_rows("houses", since=0.0) == 120


def test_processes_that_are_all_the_first_to_use_a_log_lose_nothing(tmp_path):
    path = tmp_path / "new" / "predictions.db"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(i), "20"], stdout=subprocess.DEVNULL)
        for i in range(4)
    ]
    assert [w.wait(60) for w in writers] == [0] * 4
    log = PredictionLog(path)
    assert log.summary("houses", since=0.0).requests == 80
    assert len(log.window("houses", since=0.0, columns=["area"])) == 400


def test_a_killed_writer_leaves_whole_requests_and_a_usable_log(tmp_path):
    path = tmp_path / "predictions.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, path, "w", "1000000"], stdout=-1) as writer:
        assert writer.stdout.readline() == b"writing\n"
        time.sleep(0.2)
        writer.send_signal(signal.SIGKILL)
    log = PredictionLog(path)
    requests = log.summary("houses", since=0.0).requests
    assert requests >= 1
    assert len(log.window("houses", since=0.0, columns=["area"])) == 5 * requests
    record(log, "after", [1.0])
    assert log.count_rows("houses", since=0.0) == 5 * requests + 1


def test_a_log_of_a_later_version_is_left_alone(tmp_path):
    path = tmp_path / "predictions.db"
    PredictionLog(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(StorageError, match="schema version 7"):
        PredictionLog(path)


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "predictions.db"
    path.write_text("not a database, but long enough to be taken for one" * 20)
    with pytest.raises(StorageError, match=r"predictions\.db"):
        PredictionLog(path)
