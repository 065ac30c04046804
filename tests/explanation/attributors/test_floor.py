import torch

from autrainer_ext.explanation.attributors import permuted, random, saliency
from autrainer_ext.explanation.segments import grid


def four_cells(features):
    return grid(features, n_slices=2, n_bands=2)


def test_random_maps_belong_to_the_clip_and_the_seed(network, clips):
    features, target = clips
    maps = random(network, features, target)
    assert not torch.equal(maps[0], maps[1])
    assert not torch.equal(maps, random(network, features, target, seed=1))
    coarse = random(network, features, target, segmenter=four_cells)
    segments = four_cells(features[0])
    assert all(len(coarse[0, 0][segments == k].unique()) == 1 for k in range(4))
    assert len(coarse[0].unique()) == 4


def test_permuted_maps_hold_the_same_values_elsewhere(network, clips):
    features, target = clips
    maps = saliency(network, features, target)
    shuffled = permuted(saliency)(network, features, target)
    assert not torch.equal(shuffled, maps)
    assert torch.equal(shuffled.flatten(1).sort()[0], maps.flatten(1).sort()[0])
