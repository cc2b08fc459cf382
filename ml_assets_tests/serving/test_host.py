import threading
import time

import pytest
from toy_world import house_model, publish, toy_host

from ml_assets.errors import SettingError, UnknownNameError
from ml_assets.serving.host import ModelHost


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_without_a_champion_the_host_says_what_to_do(tmp_path):
    host = toy_host(tmp_path)
    host.refresh()
    hosted = host.hosted("houses")
    assert hosted.predictor is None
    assert "ml-assets run" in hosted.error


def test_an_unknown_dataset_gets_the_nearest_name(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'houses'"):
        toy_host(tmp_path).hosted("house")


def test_a_changed_champion_replaces_the_old_one_and_a_request_keeps_what_it_took(tmp_path):
    publish(tmp_path, "houses", "1", house_model())
    host = toy_host(tmp_path)
    host.refresh()
    taken = host.hosted("houses")
    publish(tmp_path, "houses", "2", house_model(1000))
    host.refresh()
    assert host.hosted("houses").champion.version == "2"
    assert taken.champion.version == "1"
    assert taken.predictor is not host.hosted("houses").predictor


def test_an_unchanged_champion_is_not_loaded_again(tmp_path):
    publish(tmp_path, "houses", "1", house_model())
    host = toy_host(tmp_path)
    host.refresh()
    first = host.hosted("houses")
    host.refresh()
    assert host.hosted("houses").predictor is first.predictor


def test_a_model_whose_bytes_changed_is_not_loaded_and_the_old_one_stays(tmp_path, caplog):
    publish(tmp_path, "houses", "1", house_model())
    host = toy_host(tmp_path)
    host.refresh()
    publish(tmp_path, "houses", "2", house_model(1000))
    intact = (tmp_path / "houses-2.joblib").read_bytes()
    (tmp_path / "houses-2.joblib").write_bytes(intact + b"x")
    host.refresh()
    hosted = host.hosted("houses")
    assert hosted.champion.version == "1"
    assert "version 2 could not be loaded" in hosted.error
    assert "SHA-256" in hosted.error
    (tmp_path / "houses-2.joblib").write_bytes(intact)
    host.refresh()
    assert (host.hosted("houses").champion.version, host.hosted("houses").error) == ("2", None)


def test_a_registry_that_cannot_be_read_leaves_the_models_in_place(tmp_path):
    publish(tmp_path, "houses", "1", house_model())
    host = toy_host(tmp_path)
    host.refresh()
    (tmp_path / "houses.json").write_text("{broken")
    host.refresh()
    hosted = host.hosted("houses")
    assert hosted.champion.version == "1"
    assert "could not be looked up" in hosted.error


def test_a_champion_that_is_taken_back_is_no_longer_served(tmp_path):
    publish(tmp_path, "houses", "1", house_model())
    host = toy_host(tmp_path)
    host.refresh()
    (tmp_path / "houses.json").unlink()
    host.refresh()
    assert host.hosted("houses").predictor is None


def test_the_background_thread_follows_the_champion_and_ends(tmp_path):
    publish(tmp_path, "houses", "1", house_model())
    before = threading.active_count()
    with toy_host(tmp_path, poll_seconds=0.02) as host:
        assert host.hosted("houses").champion.version == "1"
        (tmp_path / "houses.json").write_text("{broken")
        until(lambda: host.hosted("houses").error)
        publish(tmp_path, "houses", "2", house_model())
        until(lambda: host.hosted("houses").champion.version == "2")
    assert threading.active_count() == before


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_poll_time_that_makes_no_sense_is_refused(seconds):
    with pytest.raises(SettingError, match="poll_seconds"):
        ModelHost(lambda name: None, lambda ref: None, [], poll_seconds=seconds, clock=time.time)
