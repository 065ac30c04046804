"""Two steps of every method against the authors' own code; see tests/reference."""

import json

import pytest
import torch

from autrainer_ext.adaptation.lame import LAME
from autrainer_ext.adaptation.methods import EATA, Tent
from autrainer_ext.adaptation.parameters import named_parameters
from autrainer_ext.adaptation.sar import SAR
from autrainer_ext.adaptation.t3a import T3A
from tests.reference.adaptation_authors import LEARNING_RATE, Network, draw_batches

SGD = {"learning_rate": LEARNING_RATE, "optimizer": "sgd"}


@pytest.fixture(scope="module")
def authors(root):
    return json.loads((root / "tests/reference/adaptation_authors.json").read_text())


def make_sar(network):
    method = SAR(network, **SGD)
    method.reset_below = 0.2  # the authors' constant, for 1000 classes
    return method


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("tent", lambda network: Tent(network, **SGD)),
        ("eta", lambda network: EATA(network, max_similarity=0.97, **SGD)),
        (
            "eata",
            lambda network: EATA(
                network,
                max_similarity=0.97,
                source=reversed(draw_batches()),
                fisher_weight=200.0,
                **SGD,
            ),
        ),
        ("sar", make_sar),
    ],
)
def test_two_steps_are_those_of_the_authors(authors, name, make):
    network = Network()
    method = make(network)
    steps = [method.step(batch) for batch in draw_batches()]
    assert [step.event for step in steps] == ["adapted", "adapted"]
    for step, expected in zip(steps, authors[name]["logits"], strict=True):
        torch.testing.assert_close(step.logits, torch.tensor(expected), atol=1e-4, rtol=1e-4)
    learnt = named_parameters(network)
    for parameter, expected in authors[name]["parameters"].items():
        torch.testing.assert_close(
            learnt[parameter].detach(), torch.tensor(expected), atol=1e-5, rtol=1e-5
        )


def test_the_penalty_of_eata_changes_its_steps(authors):
    scale = "featurizer.1.weight"
    assert authors["eta"]["parameters"][scale] != authors["eata"]["parameters"][scale]


def test_lame_is_that_of_the_authors(authors):
    found = LAME(Network().eval()).step(draw_batches()[0]).logits.exp()
    expected = torch.tensor(authors["lame"]["probabilities"])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_t3a_is_that_of_the_authors(authors):
    method = T3A(Network().eval(), n_supports=3)
    for batch, expected in zip(draw_batches(), authors["t3a"]["logits"], strict=True):
        found = method.step(batch).logits
        torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=1e-4)
