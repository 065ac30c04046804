import pytest

pytestmark = pytest.mark.slow


def test_figures_and_sheets_are_there(output):
    for stem in ("class_scores", "cartography", "ensemble_sizes", "gallery/all_classes"):
        for suffix in ("png", "svg"):
            assert (output / f"{stem}.{suffix}").stat().st_size > 5000
