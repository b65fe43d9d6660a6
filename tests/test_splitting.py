"""Train, calibration and test: shares, equal rows together, populations, any order the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.errors import DataError
from limen.packing.splitting import population_rows, split_rows
from limen.packing.spool import Spool

SHARES = (0.70, 0.15, 0.15)
TRAIN, CALIBRATION, TEST = 0, 1, 2


@pytest.fixture
def spooled(tmp_path):
    """Spool columns; each call into a folder of its own."""
    number = iter(range(10_000))

    def spool(**columns):
        made = Spool(tmp_path / f"spool{next(number)}")
        arrays = {name: np.asarray(values) for name, values in columns.items()}
        made.fill({name: values.dtype for name, values in arrays.items()}, [arrays])
        return made

    return spool


@pytest.fixture(scope="module")
def module_spool(tmp_path_factory):
    def spool(**columns):
        made = Spool(tmp_path_factory.mktemp("spool"))
        made.fill({name: values.dtype for name, values in columns.items()}, [columns])
        return made

    return spool


def everything(spool):
    return np.ones(spool.n, dtype=bool)


def shares(split):
    return [float((split == code).mean()) for code in (TRAIN, CALIBRATION, TEST)]


RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=2000), RNG.normal(size=2000)


def test_the_shares_are_those_asked_for(spooled):
    spool = spooled(x=X, y=Y)
    split = split_rows(spool, ["x", "y"], everything(spool))
    assert split.dtype == np.int8
    assert shares(split) == pytest.approx(SHARES, abs=1e-3)


@pytest.mark.parametrize(
    "fractions",
    [(1.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.0, 0.7, 0.3 + 1e-10), (0.2, 0.8, 0.0)],
    ids=str,
)
def test_any_shares_that_sum_to_one_hold(spooled, fractions):
    spool = spooled(x=X, y=Y)
    split = split_rows(spool, ["x", "y"], everything(spool), fractions=fractions)
    assert shares(split) == pytest.approx(fractions, abs=1e-3)


@pytest.mark.parametrize("fractions", [(0.7, 0.2, 0.2), (1.1, -0.1, 0.0), (0.5, 0.5)], ids=str)
def test_other_shares_are_refused(spooled, fractions):
    spool = spooled(x=X)
    with pytest.raises(DataError, match="three shares of train, calibration and test that sum"):
        split_rows(spool, ["x"], everything(spool), fractions=fractions)


def test_another_seed_gives_another_split_and_the_same_seed_the_same(spooled):
    spool = spooled(x=X)
    first, again, other = (split_rows(spool, ["x"], everything(spool), seed=s) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert 0.3 < (first != other).mean() < 0.6


def test_parts_do_not_follow_the_parameters(spooled):
    spool = spooled(x=np.sort(X))
    split = split_rows(spool, ["x"], everything(spool))
    assert abs(np.mean(spool.read("x")[split == TEST])) < 0.2


def test_equal_rows_stay_together(spooled):
    spool = spooled(x=np.round(X, 1), y=np.round(Y, 0))
    split = split_rows(spool, ["x", "y"], everything(spool))
    rows = np.stack([spool.read("x") + 0.0, spool.read("y") + 0.0], axis=1)
    _, group = np.unique(rows, axis=0, return_inverse=True)
    for one in np.unique(group):
        assert len(set(split[group.ravel() == one])) == 1


def test_minus_zero_is_zero(spooled):
    spool = spooled(x=np.array([0.0, -0.0] * 50), y=np.repeat(np.arange(50.0), 2))
    split = split_rows(spool, ["x", "y"], everything(spool))
    assert np.array_equal(split[::2], split[1::2])


def test_a_group_stays_together(spooled):
    chain = np.repeat(np.arange(200), 10)
    spool = spooled(x=X, chain=chain)
    split = split_rows(spool, ["chain"], everything(spool))
    assert all(len(set(split[chain == c])) == 1 for c in range(200))
    assert shares(split) == pytest.approx(SHARES, abs=0.02)


def test_the_shares_hold_within_each_stratum(spooled):
    label = (X > 1.5).astype(np.int8)
    spool = spooled(x=X, label=label)
    split = split_rows(spool, ["x"], everything(spool), stratify="label")
    for value in (0, 1):
        n = int((label == value).sum())
        assert shares(split[label == value]) == pytest.approx(SHARES, abs=1.5 / n)


def test_equal_rows_in_different_strata_stay_together(spooled):
    x = np.repeat(X[:300], 2)
    spool = spooled(x=x, label=np.tile([0, 1, 1, 0, 0, 1], 100).astype(np.int8))
    split = split_rows(spool, ["x"], everything(spool), stratify="label")
    assert np.array_equal(split[::2], split[1::2])


def test_only_rows_of_the_population_calibrate_and_test(spooled):
    origin = (np.arange(2000) % 3).astype(np.int8)
    spool = spooled(x=X, origin=origin)
    drawn = population_rows(spool, {"column": "origin", "codes": [0, 2]}, everything(spool))
    split = split_rows(spool, ["x"], drawn)
    assert set(split[origin == 1]) == {TRAIN}
    assert shares(split[origin != 1]) == pytest.approx(SHARES, abs=2e-3)


def test_a_population_in_words_is_every_valid_row(spooled):
    spool = spooled(x=X)
    valid = X > 0
    assert np.array_equal(population_rows(spool, {"text": "the box"}, valid), valid)
    assert np.array_equal(population_rows(spool, None, valid), valid)


def test_a_row_equal_to_one_that_was_not_drawn_trains_with_it(spooled):
    x = np.repeat(X[:500], 2)
    drawn = np.tile([True, False], 500)
    spool = spooled(x=x)
    assert set(split_rows(spool, ["x"], drawn, barred=~drawn)) == {TRAIN}


@pytest.mark.parametrize("n", [1, 2, 3], ids=["one row", "two rows", "three rows"])
def test_a_few_rows_are_split_without_fail(spooled, n):
    spool = spooled(x=X[:n])
    split = split_rows(spool, ["x"], everything(spool))
    assert len(split) == n
    assert TRAIN in split


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), stratified=st.booleans(), data=st.data())
def test_the_order_of_the_rows_does_not_matter(module_spool, seed, stratified, data):
    n = data.draw(st.integers(1, 60))
    values = st.lists(st.integers(0, 12), min_size=n, max_size=n)
    x = np.array(data.draw(values), dtype=float)
    label = np.array(data.draw(values), dtype=np.int8) % 3
    drawn = np.array(data.draw(values)) > 2
    order = np.array(data.draw(st.permutations(range(n))))
    stratify = "label" if stratified else None
    splits = [
        split_rows(
            module_spool(x=x[rows], label=label[rows]),
            ["x"],
            drawn[rows],
            seed=seed,
            stratify=stratify,
            barred=~drawn[rows],
        )
        for rows in (np.arange(n), order)
    ]
    assert np.array_equal(splits[0][order], splits[1])
    for value in np.unique(x):
        assert len(set(splits[0][x == value])) == 1
    assert not splits[0][~drawn].any()
