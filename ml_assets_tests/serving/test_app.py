import json
import sqlite3
from contextlib import closing

import httpx
import numpy as np
import pytest
from toy_world import SPECS, house_model, house_rows, plant_model, publish, served, toy_host

from ml_assets.learning.conformal import Intervals
from ml_assets.learning.intervals import with_intervals
from ml_assets.serving.app import create_app
from ml_assets.serving.prediction_log import PredictionLog
from ml_assets.serving.rows import MAXIMUM_BODY_BYTES

GOOD = house_rows(1)[0]
PREDICT = "/v1/datasets/houses/predict"
LABELS = "/v1/datasets/houses/labels"


class World:
    def __init__(self, folder):
        self.champions = folder / "champions"
        publish(self.champions, "houses", "1", house_model())
        self.host = toy_host(self.champions)
        self.host.refresh()
        self.log = PredictionLog(folder / "predictions.db")
        self.now = 1000.0
        app = create_app(self.host, self.log, SPECS, started_at=5.0, version="0.1", clock=lambda: self.now)
        self.app = app

    def break_log(self):
        with closing(sqlite3.connect(self.log._database.path)) as connection:
            connection.execute("DROP TABLE labels")
            connection.execute("DROP TABLE requests")


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    with served(world.app, tmp_path / "server.json") as url, httpx.Client(base_url=url) as client:
        world.client = client
        yield world


def test_an_answer_says_which_model_gave_it_and_is_logged(world):
    rows = house_rows(3)
    response = world.client.post(PREDICT, json={"rows": rows})
    assert response.status_code == 200
    answer = response.json()
    assert [p["prediction"] for p in answer["predictions"]] == pytest.approx([2 * r["area"] for r in rows])
    assert set(answer["predictions"][0]) == {"prediction"}
    assert set(answer["model"]) == {"version", "family", "sha256", "run_id", "data_hash"}
    assert (answer["dataset"], answer["model"]["version"], answer["logged"]) == ("houses", "1", True)
    assert response.headers["x-request-id"] == answer["request_id"]
    latest = world.log.latest("houses")
    assert (latest.request_id, latest.row_count, latest.received_at) == (answer["request_id"], 3, 1000.0)
    window = world.log.window("houses", since=0.0, columns=["area"])
    assert window["area"].tolist() == [row["area"] for row in rows]


def test_an_interval_comes_with_the_answer_that_asks_for_it_and_is_kept_with_its_label(world):
    assert world.client.post(PREDICT + "?interval=0.9", json={"rows": [GOOD]}).status_code == 422
    publish(world.champions, "houses", "2", with_intervals(house_model(), Intervals(np.full(50, 3.0))))
    world.host.refresh()
    answer = world.client.post(PREDICT + "?interval=0.9", json={"rows": [GOOD]}).json()
    told = answer["predictions"][0]
    middle = told["prediction"]
    assert told["interval"] == {"coverage": 0.9, "lower": middle - 3.0, "upper": middle + 3.0}
    world.client.post(LABELS, json={"request_id": answer["request_id"], "position": 0, "label": middle + 1})
    assert world.log.labelled("houses", since=0.0)["interval"].tolist() == [told["interval"]]
    assert set(world.client.post(PREDICT, json={"rows": [GOOD]}).json()["predictions"][0]) == {"prediction"}


@pytest.mark.parametrize("asked", ["wide", "1.5", "0.999", "nan"])
def test_a_coverage_that_makes_no_sense_is_422_and_says_why(world, asked):
    publish(world.champions, "houses", "2", with_intervals(house_model(), Intervals(np.full(50, 3.0))))
    world.host.refresh()
    response = world.client.post(f"{PREDICT}?interval={asked}", json={"rows": [GOOD]})
    assert response.status_code == 422
    assert any(words in response.json()["detail"] for words in ("no number", "between 0 and 1", "cannot be promised"))


def test_a_class_comes_with_probabilities_by_label(world):
    publish(world.champions, "plants", "4", plant_model())
    world.host.refresh()
    answer = world.client.post("/v1/datasets/plants/predict", json={"rows": [{"height": 11}]}).json()
    assert answer["predictions"][0]["prediction"] == "tree"
    assert set(answer["predictions"][0]["probabilities"]) == {"fern", "moss", "tree"}


def test_a_bad_row_is_refused_with_field_and_row_and_counted(world):
    response = world.client.post(PREDICT, json={"rows": [GOOD, GOOD | {"area": "big"}]})
    assert response.status_code == 422
    assert response.json()["problems"][0] | {"message": ""} == {"row": 1, "field": "area", "message": ""}
    assert "row 1, field 'area'" in response.json()["detail"]
    assert response.headers["x-request-id"] == response.json()["request_id"]
    summary = world.log.summary("houses", since=0.0)
    assert (summary.requests, summary.refused, summary.rows) == (1, 1, 0)


@pytest.mark.parametrize("path", ["predict", "labels"])
def test_an_unknown_dataset_is_404_with_the_nearest_name(world, path):
    response = world.client.post(f"/v1/datasets/house/{path}", json={})
    assert response.status_code == 404
    assert "did you mean 'houses'" in response.json()["detail"]


def test_a_dataset_without_a_champion_is_503_and_says_what_to_do(world):
    response = world.client.post("/v1/datasets/plants/predict", json={"rows": [{"height": 1}]})
    assert response.status_code == 503
    assert "ml-assets run" in response.json()["detail"]
    assert world.log.summary("plants", since=0.0).failed == 1


def test_a_body_that_is_too_large_is_413_and_one_that_is_not_json_415(world):
    large = b" " * (MAXIMUM_BODY_BYTES + 1)
    headers = {"content-type": "application/json"}
    assert world.client.post(PREDICT, content=large, headers=headers).status_code == 413
    plain = world.client.post(PREDICT, content=b"{}", headers={"content-type": "text/plain"})
    assert plain.status_code == 415
    assert "content-type: application/json" in plain.json()["detail"]
    assert world.client.post(LABELS, content=b"{}").status_code == 415
    assert world.log.summary("houses", since=0.0).refused == 2


def test_a_model_that_cannot_take_the_rows_is_500_with_an_id_and_counted(world):
    world.host._hosted["houses"].predictor.pipeline.steps.pop(1)
    response = world.client.post(PREDICT, json={"rows": [GOOD | {"age": None}]})
    assert response.status_code == 500
    assert "could not predict" in response.json()["detail"]
    assert world.log.summary("houses", since=0.0).failed == 1


def test_an_unforeseen_error_is_500_with_the_id_and_without_its_details(world):
    del world.host._hosted["houses"].predictor.pipeline.steps
    response = world.client.post(PREDICT, json={"rows": [GOOD]})
    assert response.status_code == 500
    assert response.headers["x-request-id"] == response.json()["request_id"]
    assert "steps" not in response.text
    assert world.log.summary("houses", since=0.0).failed == 1


def test_a_log_that_cannot_be_written_does_not_stop_answers_and_shows_in_health(world):
    world.break_log()
    answer = world.client.post(PREDICT, json={"rows": [GOOD]})
    assert (answer.status_code, answer.json()["logged"]) == (200, False)
    assert world.client.post(PREDICT, json={"rows": []}).status_code == 422
    health = world.client.get("/health").json()
    assert health["status"] == "degraded"
    assert health["log"]["failures"] == 2
    assert "no such table" in health["log"]["last_failure"]


def test_a_late_label_is_taken_for_the_row_it_names(world):
    request_id = world.client.post(PREDICT, json={"rows": house_rows(2)}).json()["request_id"]
    late = {"request_id": request_id, "position": 1, "label": 250}
    response = world.client.post(LABELS, json=late)
    assert (response.status_code, response.json()) == (200, late)
    assert world.log.labelled("houses", since=0.0)["label"].tolist() == [250.0]


@pytest.mark.parametrize(
    ("change", "status", "complaint"),
    [
        ({"label": "much"}, 422, "label"),
        ({"label": True}, 422, "label"),
        ({"position": -1}, 422, "position"),
        ({"position": 1}, 404, "no row 1"),
        ({"position": 2**70}, 404, "no row"),
        ({"request_id": "x"}, 404, "no answered request 'x'"),
        ({"request_id": 7}, 422, "request_id"),
        ({"more": 7}, 422, "more"),
    ],
)
def test_a_label_that_fits_nothing_is_refused(world, change, status, complaint):
    request_id = world.client.post(PREDICT, json={"rows": [GOOD]}).json()["request_id"]
    late = {"request_id": request_id, "position": 0, "label": 250.0} | change
    response = world.client.post(LABELS, json=late)
    assert response.status_code == status
    assert complaint in response.json()["detail"]


def test_a_label_that_cannot_be_written_is_503_so_that_its_sender_tries_again(world):
    request_id = world.client.post(PREDICT, json={"rows": [GOOD]}).json()["request_id"]
    world.break_log()
    late = {"request_id": request_id, "position": 0, "label": 250.0}
    assert world.client.post(LABELS, json=late).status_code == 503
    assert world.client.get("/health").json()["log"]["failures"] == 1


def test_health_shows_each_datasets_version_or_why_there_is_none(world):
    health = world.client.get("/health").json()
    assert (health["status"], health["version"], health["started_at"]) == ("degraded", "0.1", 5.0)
    assert (health["datasets"]["houses"]["version"], health["datasets"]["houses"]["error"]) == ("1", None)
    assert health["datasets"]["plants"]["version"] is None
    assert "no champion yet" in health["datasets"]["plants"]["error"]
    publish(world.champions, "plants", "1", plant_model())
    world.host.refresh()
    assert world.client.get("/health").json()["status"] == "ok"


def test_datasets_lists_the_fields_a_row_needs(world):
    listed = {d["name"]: d for d in world.client.get("/v1/datasets").json()["datasets"]}
    fields = {f["name"]: f for f in listed["houses"]["fields"]}
    assert list(fields) == ["area", "rooms", "age", "colour of door"]
    assert (fields["age"]["nullable"], fields["area"]["range"]) == (True, [10.0, 300.0])
    assert (listed["houses"]["model"]["version"], listed["plants"]["model"]) == ("1", None)
    assert listed["plants"]["labels"] == ["fern", "moss", "tree"]


def test_the_interface_describes_itself(world):
    assert "/v1/datasets/{name}/predict" in json.dumps(world.client.get("/openapi.json").json())
