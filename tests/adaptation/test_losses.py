import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.adaptation.losses import (
    DiversityLoss,
    EntropyLoss,
    NuclearNormLoss,
    ViewConsistencyLoss,
    diversity,
    entropy_nats,
    information,
    nuclear_norm,
    tsallis_entropy,
    view_distance,
)

N, C = 30, 10
BATCHES = {
    "uniform": torch.zeros(N, C),
    "collapsed": 100.0 * torch.nn.functional.one_hot(torch.zeros(N, dtype=torch.long), C),
    "diverse": 100.0 * torch.nn.functional.one_hot(torch.arange(N) % C, C),
}
# singular values, column norms and Frobenius norms on paper:
# uniform: one singular value sqrt(30) / sqrt(10), ten columns of length sqrt(30) / 10
# collapsed: one singular value sqrt(30), one column of length sqrt(30)
# diverse: ten singular values and ten columns of length sqrt(3)
BY_HAND = {
    ("uniform", "exact"): math.sqrt(3) / 10,
    ("uniform", "column"): math.sqrt(30) / 10,
    ("uniform", "frobenius"): math.sqrt(3),
    ("collapsed", "exact"): math.sqrt(30) / 10,
    ("collapsed", "column"): math.sqrt(30) / 10,
    ("collapsed", "frobenius"): math.sqrt(30),
    ("diverse", "exact"): math.sqrt(3),
    ("diverse", "column"): math.sqrt(3),
    ("diverse", "frobenius"): math.sqrt(30),
}
SHAPES = [(1, 2), (1, 10), (3, 10), (10, 10), (32, 10)]
SCALARS = {
    "exact": NuclearNormLoss("exact"),
    "column": NuclearNormLoss("column"),
    "frobenius": NuclearNormLoss("frobenius"),
    "diversity": DiversityLoss(),
    "entropy": EntropyLoss(),
    "tsallis 0.9": EntropyLoss(0.9),
    "tsallis 1.1": EntropyLoss(1.1),
    "tsallis 2": EntropyLoss(2.0),
    "consistency": lambda x: ViewConsistencyLoss()(x, x.flip(1)),
}


def logits(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, generator=generator, dtype=dtype)


@pytest.mark.parametrize(("batch", "form"), BY_HAND)
def test_forms_of_the_nuclear_norm_by_hand(batch, form):
    assert nuclear_norm(BATCHES[batch], form).item() == pytest.approx(BY_HAND[batch, form])


def test_table_of_the_docstring_is_what_they_do():
    from autrainer_ext.adaptation import losses

    for batch in BATCHES:
        (row,) = (
            line.split()[-3:]
            for line in losses.__doc__.splitlines()
            if line.strip().startswith((batch + " rows ", batch + ":"))
        )
        for form, number in zip(("exact", "column", "frobenius"), row, strict=True):
            assert NuclearNormLoss(form)(BATCHES[batch]).item() == pytest.approx(
                float(number), abs=5e-4
            )


def test_only_the_exact_form_orders_uniform_collapsed_diverse():
    values = {form: [nuclear_norm(b, form).item() for b in BATCHES.values()] for form in
              ("exact", "column", "frobenius")}  # fmt: skip
    assert values["exact"][0] < values["exact"][1] < values["exact"][2]
    assert values["column"][0] == pytest.approx(values["column"][1])
    assert values["frobenius"][1] == pytest.approx(values["frobenius"][2])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(2, 15), st.integers(0, 10**6))
def test_norms_keep_their_bounds(n, c, seed):
    """||A||_F <= ||A||_* <= sqrt(D) ||A||_F, ||A||_F <= sqrt(N), D = min(N, C)."""
    x, d = logits(n, c, seed=seed), min(n, c)
    frobenius = nuclear_norm(x, "frobenius")
    nuclear = d * nuclear_norm(x)
    assert frobenius <= nuclear * (1 + 1e-9)
    assert nuclear <= math.sqrt(d) * frobenius * (1 + 1e-9)
    assert frobenius <= math.sqrt(n)
    assert nuclear == pytest.approx(
        np.linalg.svd(x.softmax(1).numpy(), compute_uv=False).sum(), rel=1e-9
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20), st.integers(2, 15), st.floats(0.1, 4), st.integers(0, 10**6))
def test_entropies_against_the_formula(n, c, q, seed):
    x = logits(n, c, seed=seed)
    p = x.softmax(1)
    torch.testing.assert_close(entropy_nats(x), -(p * p.log()).sum(1))
    if abs(q - 1) > 1e-3:
        torch.testing.assert_close(tsallis_entropy(x, q), (1 - (p**q).sum(1)) / (q - 1))
    assert (tsallis_entropy(x, q) >= -1e-12).all()


def test_generalised_entropy_converges_to_shannon():
    x = logits(20, 10)
    torch.testing.assert_close(tsallis_entropy(x, 1.0), entropy_nats(x))
    errors = [(tsallis_entropy(x, 1 + d) - entropy_nats(x)).abs().max() for d in (1e-2, 1e-4, 1e-6)]
    assert errors[0] > 50 * errors[1] > 2500 * errors[2]
    near = tsallis_entropy(x.float(), 1 + 1e-7)  # the textbook form is all rounding here
    torch.testing.assert_close(near, entropy_nats(x).float(), atol=1e-5, rtol=1e-5)


def test_entropy_of_uniform_predictions_is_largest():
    uniform = torch.zeros(3, 10, dtype=torch.float64)
    assert entropy_nats(uniform).tolist() == pytest.approx([math.log(10)] * 3)
    assert tsallis_entropy(uniform, 2).tolist() == pytest.approx([0.9] * 3)
    assert tsallis_entropy(uniform, 0.5).tolist() == pytest.approx([(1 - 10**0.5) / -0.5] * 3)


def test_diversity_is_between_mean_entropy_and_log_of_classes():
    x = logits(32, 10)
    p = x.softmax(1).mean(0)
    assert diversity(x).item() == pytest.approx(-(p * p.log()).sum().item())
    assert entropy_nats(x).mean() < diversity(x) < math.log(10)
    assert diversity(BATCHES["collapsed"]).item() == pytest.approx(0, abs=1e-6)
    assert diversity(BATCHES["diverse"]).item() == pytest.approx(math.log(10))


def test_information_by_hand():
    assert information(100.0 * torch.eye(3)) == pytest.approx(math.log(3))
    assert information(torch.zeros(4, 3)) == pytest.approx(0, abs=1e-6)


def test_view_distance_by_hand():
    sure = torch.tensor([[100.0, 0.0], [0.0, 100.0], [0.0, 0.0]])
    other = torch.tensor([[100.0, 0.0], [100.0, 0.0], [100.0, 0.0]])
    assert view_distance(sure, other).tolist() == pytest.approx([0, math.sqrt(2), math.sqrt(0.5)])


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients(name, shape):
    x = logits(*shape).requires_grad_()
    assert torch.autograd.gradcheck(SCALARS[name], (x,))


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("n", [1, 2, 32])
def test_gradient_is_finite_where_the_rank_is_deficient(name, n):
    for batch in BATCHES.values():
        x = batch[:n].clone().requires_grad_()
        SCALARS[name](x).backward()
        assert torch.isfinite(x.grad).all()


def test_null_space_gets_no_gradient():
    """Equal rows are a stationary direction: all of them get the same gradient."""
    x = logits(1, 10).repeat(8, 1).requires_grad_()
    nuclear_norm(x).backward()
    torch.testing.assert_close(x.grad, x.grad[:1].expand(8, 10))


@pytest.mark.parametrize("name", SCALARS)
def test_extreme_logits_and_single_precision(name):
    x = logits(16, 10)
    torch.testing.assert_close(SCALARS[name](x.float()).double(), SCALARS[name](x), atol=1e-5,
                               rtol=1e-5)  # fmt: skip
    extreme = (1e4 * x.float()).requires_grad_()
    loss = SCALARS[name](extreme)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(extreme.grad).all()


@pytest.mark.parametrize("name", [name for name in SCALARS if name != "exact"])
def test_half_precision(name):
    x = logits(16, 10)
    assert SCALARS[name](x.bfloat16()).item() == pytest.approx(SCALARS[name](x).item(), abs=0.03)


@pytest.mark.parametrize("name", SCALARS)
def test_empty_batch_is_a_zero_with_a_gradient(name):
    x = torch.zeros(0, 10, requires_grad=True)
    loss = SCALARS[name](x)
    loss.backward()
    assert loss == 0
    assert x.grad.shape == (0, 10)


@pytest.mark.parametrize("loss", [EntropyLoss, ViewConsistencyLoss])
def test_reductions_belong_together(loss):
    views = [logits(8, 10)] if loss is EntropyLoss else [logits(8, 10), logits(8, 10, seed=1)]
    values = loss(reduction="none")(*views)
    assert values.shape == (8,)
    torch.testing.assert_close(loss(reduction="sum")(*views), values.sum())
    torch.testing.assert_close(loss(reduction="mean")(*views), values.mean())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EntropyLoss(0), "Argument 'q' must be positive, got 0"),
        (lambda: EntropyLoss(reduction="max"), "Unknown reduction 'max'"),
        (lambda: ViewConsistencyLoss("max"), "Unknown reduction 'max'"),
        (lambda: NuclearNormLoss("fast"), "Unknown form 'fast'"),
        (lambda: view_distance(torch.zeros(2, 3), torch.zeros(1, 3)), r"\(2, 3\) and \(1, 3\)"),
    ],
)
def test_wrong_settings_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
