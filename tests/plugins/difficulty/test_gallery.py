import numpy as np
import pandas as pd
import pytest
import soundfile

pytestmark = pytest.mark.slow


def test_the_gallery_shows_audio_pictures_and_predictions(output, project, pooled):
    gallery = output / "gallery"
    table = pd.read_csv(gallery / "index.csv")
    assert table["group"].unique().tolist() == ["all classes", "bus", "park", "tram"]
    assert (table.groupby(["group", "kind"]).size() == 2).all()
    data = pd.read_csv(project[0] / "data/train.csv")
    for row in table.to_dict("records"):
        index = row["index"]
        assert row["filename"] == f"train-{index}.wav"
        assert row["group"] in ("all classes", data["scene"][index])
        samples, _ = soundfile.read(gallery / row["audio"])
        np.testing.assert_allclose(samples, index / 100, atol=1e-4)
        assert (gallery / row["picture"]).stat().st_size > 1000
        assert (gallery / row["explanation"]).stat().st_size > 1000
        for run in project[1]:
            path = project[0] / "results/clean/training" / run.name
            predicted = np.load(path / "epoch_3/traineval_outputs.npy")[index].argmax()
            assert row[run.name] == ["bus", "park", "tram"][predicted]
        # what is explained is the last checkpoint, as scored, and the class that it predicts
        assert row["explained_checkpoint"] == "epoch_3"
        assert row["explained_class"] == row[row["explained_run"]]
    for group, members in [("all classes", range(36)), ("park", range(1, 36, 3))]:
        scores = pooled.cumulative_accuracy[list(members)]
        rows = table[table["group"] == group].set_index("kind")["cumulative_accuracy"]
        np.testing.assert_allclose(rows["easiest"], np.sort(scores)[::-1][:2], rtol=1e-6)
        np.testing.assert_allclose(rows["hardest"], np.sort(scores)[:2], rtol=1e-6)
    ties = table[table["group"] == "all classes"]
    assert ties["tied_in_group"].tolist() == ties["tie_size"].tolist()
