import sys
import types

import pytest
from autrainer.core.scripts.abstract_script import MockParser

from autrainer_ext_plugins.commands.fetch import FetchSourceScript


@pytest.fixture
def calls(monkeypatch):
    calls = []

    class Dataset:
        @staticmethod
        def download(**arguments):
            calls.append(arguments)

    module = types.ModuleType("fetched_datasets")
    module.Dataset = Dataset
    monkeypatch.setitem(sys.modules, "fetched_datasets", module)
    return calls


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"path": "data"}),
        ({"source": None}, {"path": "data"}),
        ({"source": "recordings"}, {"path": "data", "source": "recordings"}),
    ],
)
def test_source_reaches_the_dataset_where_it_is_set(calls, options, expected):
    script = FetchSourceScript()
    script.parser = MockParser()
    dataset = {"id": "Mine", "_target_": "fetched_datasets.Dataset", "path": "data", **options}
    script.datasets = {"Mine": dataset}
    script._download_datasets()
    assert calls == [expected]
