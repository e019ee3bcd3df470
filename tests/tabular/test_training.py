"""From a table to a model: honest scores, the same bits for the same seed, files that come back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics
from tabular_support import flowers, prices, table_of

import fastnn
from fastnn import FileFormatError, nn
from fastnn.serialization import read_metadata, save_model
from fastnn.tabular import Options, Table, TableModel, Trained, fitting, train_table
from fastnn.tabular.features import encode
from fastnn.tabular.recipe import Recipe, recipes
from fastnn.tabular.scores import score, trivial
from fastnn.tabular.target import Classes, Quantity

SHORT: dict[str, Any] = {"epochs": 3, "hidden": (8,), "activation": "silu", "weight_decay": 0.1}


def trained(columns: dict[str, list[Any]], target: str, **options: Any) -> Trained:
    recipe = SHORT | options.pop("recipe", {})
    return train_table(table_of(**columns), target, Options(recipe=recipe, **options))


# --- scores ---


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    found = score(Classes("y", ("a", "b", "c")), logits, y)
    assert found == pytest.approx({
        "accuracy": metrics.accuracy_score(y, logits.argmax(1)),
        "loss": metrics.log_loss(y, softmax(logits, axis=1)),
    })  # fmt: skip
    truth, values = rng.normal(1e6, 3, 50), rng.normal(1e6, 3, 50)
    assert score(Quantity("y", 0.0, 1.0), values, truth) == pytest.approx({
        "rmse": metrics.root_mean_squared_error(truth, values),
        "mae": metrics.mean_absolute_error(truth, values),
        "r2": metrics.r2_score(truth, values),
    })  # fmt: skip


def test_the_trivial_model_knows_only_frequencies_or_the_mean() -> None:
    classes = Classes("y", ("a", "b", "c"))
    logits = trivial(classes, np.array([0, 0, 0, 1]), 5)
    assert logits.shape == (5, 3)
    assert softmax(logits, axis=1)[4] == pytest.approx(np.array([3, 1, 0.5]) / 4.5)
    assert trivial(Quantity("y", 0.0, 1.0), np.array([1.0, 4.0]), 2).tolist() == [2.5, 2.5]


# --- training ---


def test_it_learns_classes() -> None:
    result = train_table(table_of(**flowers(300)), "kind")
    assert isinstance(result.target, Classes)
    assert result.target.labels == ("big", "small")
    assert result.scores["network"]["accuracy"] > 0.9 > result.scores["trivial"]["accuracy"]
    assert result.scores["linear"]["accuracy"] > 0.85
    new = table_of(**flowers(300, seed=1))
    assert result.model.evaluate(new)["accuracy"] > 0.9


def test_it_learns_quantities() -> None:
    result = train_table(table_of(**prices(200)), "price")
    assert isinstance(result.target, Quantity)
    noise = 3000
    assert (
        result.scores["network"]["rmse"] < 2 * noise < 10 * noise < result.scores["trivial"]["rmse"]
    )
    assert result.scores["linear"]["rmse"] < 2 * noise
    assert result.model.evaluate(table_of(**prices(200, seed=1)))["rmse"] < 2 * noise


def test_the_parts_do_not_overlap_and_are_stratified() -> None:
    columns = flowers(101)
    columns["kind"][7] = columns["kind"][50] = ""
    result = trained(columns, "kind", validation=0.3)
    rows = result.validation.rows
    assert (len(rows), result.rows, result.left_out) == (30, 69, 2)
    assert len(set(rows)) == 30
    assert not {8, 51} & set(rows.tolist())
    kinds = np.array(columns["kind"])
    for code, label in enumerate(("big", "small")):
        share = (kinds == label).sum() * 30 / 99
        assert abs((kinds[rows - 1] == label).sum() - share) < 1
        assert ((kinds[rows - 1] == label) == (result.validation.truth == code)).all()
    other = trained(columns, "kind", validation=0.3, seed=1)
    assert set(other.validation.rows) != set(rows)


def test_nothing_of_the_held_out_rows_is_used() -> None:
    """They may say anything: the network is the same."""
    columns, one = prices(60), {"epochs": 1}  # nothing to choose: the held-out rows do that
    first = trained(columns, "price", recipe=one)
    for row in first.validation.rows - 1:
        columns["area"][row] += 1000.0
        columns["place"][row] = "elsewhere"
        columns["price"][row] *= 2
    second = trained(columns, "price", recipe=one)
    assert first.model.features == second.model.features
    assert first.target == second.target
    for name, values in first.model.network.state_dict().items():
        assert np.array_equal(values.numpy(), second.model.network.state_dict()[name].numpy())


def test_a_class_of_one_row_is_learned_from() -> None:
    columns = flowers(60)
    columns["kind"][33] = "odd"
    result = trained(columns, "kind")
    assert isinstance(result.target, Classes)
    assert "odd" in result.target.labels
    assert 34 not in result.validation.rows


def test_validation_predictions_are_the_models_own() -> None:
    for columns, target in ((flowers(), "kind"), (prices(), "price")):
        table = table_of(**columns)
        result = trained(columns, target)
        held_out = table.take(result.validation.rows - 1)
        assert np.allclose(result.model.outputs(held_out), result.validation.outputs, rtol=1e-5)
        assert np.array_equal(result.target.read(held_out), result.validation.truth)
        assert result.scores["network"] == score(
            result.target, result.validation.outputs, result.validation.truth
        )
        best = result.history.val_loss[result.best_epoch - 1]
        assert best == min(result.history.val_loss)
        if target == "kind":
            assert result.scores["network"]["loss"] == pytest.approx(best, rel=1e-5)


def test_the_best_network_is_kept() -> None:
    seen: list[tuple[str, Recipe, list[float]]] = []

    class Look(fastnn.callbacks.Callback):
        def __init__(self, what: str, recipe: Recipe) -> None:
            self.what, self.recipe = what, recipe

        def on_fit_end(self) -> None:
            seen.append((self.what, self.recipe, self.trainer.history.val_loss))

    result = train_table(table_of(**prices(60)), "price", Options(recipe={"epochs": 3}),
                         watch=lambda recipe, what: [Look(what, recipe)])  # fmt: skip
    linear, *networks = seen
    assert (linear[0], linear[1].hidden) == ("linear model", ())
    assert len(networks) > 1
    _, recipe, losses = min(networks, key=lambda network: min(network[2]))
    assert (result.recipe, result.history.val_loss) == (recipe, losses)


def test_the_same_seed_gives_the_same_model_at_any_number_of_threads(tmp_path: Path) -> None:
    contents = []
    for seed, threads in ((1, None), (1, 1), (1, 2), (2, None)):
        before = fastnn.get_num_threads()
        result = trained(flowers(), "kind", seed=seed, threads=threads)
        assert fastnn.get_num_threads() == before
        result.model.save(tmp_path / "m")
        contents.append((tmp_path / "m").read_bytes())
    assert contents[0] == contents[1] == contents[2] != contents[3]


def test_small_networks_use_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Look(fastnn.callbacks.Callback):
        def on_fit_begin(self) -> None:
            seen.append(fastnn.get_num_threads())

    fastnn.set_num_threads(2)
    if fastnn.get_num_threads() < 2:
        return  # one core: nothing to choose
    for limit in (fitting._SERIAL_WORK, 1):
        monkeypatch.setattr(fitting, "_SERIAL_WORK", limit)
        train_table(table_of(**flowers(10)), "kind", Options(recipe=SHORT),
                    watch=lambda recipe, what: [Look()])  # fmt: skip
    assert seen == [1] * (len(seen) // 2) + [2] * (len(seen) // 2)


def test_too_few_rows() -> None:
    assert trained(flowers(10), "kind").rows == 8
    for rows, missing in ((9, 0), (12, 3)):
        columns = flowers(rows)
        columns["kind"][:missing] = [""] * missing
        with pytest.raises(
            ValueError, match="expected at least 10 rows with a value in the column"
        ):
            trained(columns, "kind")


def test_what_is_given_is_kept() -> None:
    given = {"hidden": (5, 4), "activation": "tanh", "dropout": 0.25, "batch_norm": True,
             "lr": 0.02, "weight_decay": 0.5, "epochs": 2, "batch_size": 7}  # fmt: skip
    result = trained(flowers(), "kind", recipe=given)
    assert {name: getattr(result.recipe, name) for name in given} == given
    names = [type(layer).__name__ for layer in result.model.network]
    block = ["Linear", "BatchNorm1d", "Tanh", "Dropout"]
    assert names == ["Standardize", *block, *block, "Linear"]
    assert len(result.history) == 2
    plain = Recipe(**{**given, "hidden": (3,), "dropout": 0, "batch_norm": False, "patience": 5})
    assert [type(layer).__name__ for layer in plain.network(4, 2)] == ["Linear", "Tanh", "Linear"]


@pytest.mark.parametrize("rows", [8, 100, 1000, 10_000, 10_000_000])
def test_recipes_grow_with_the_table(rows: int) -> None:
    linear, *networks = recipes(rows, {})
    assert linear.hidden == ()
    assert networks == [*dict.fromkeys(networks)]
    for recipe in (linear, *networks):
        steps = -(-rows // recipe.batch_size) * recipe.epochs
        assert 8 <= recipe.batch_size <= 256
        assert recipe.batch_size <= max(8, rows / 20)
        assert 5 <= recipe.patience <= recipe.epochs
        assert steps >= 300
        assert steps <= 20_000 or recipe.epochs == 20


def test_only_numbers_are_standardised() -> None:
    columns = {"n": [1.0, 2.0, "", 4.0], "c": ["a", "b", "c", "a"], "m": [5, 5, 7, 7]}
    table = table_of(**columns, y=["u", "v"] * 2)
    features = trained({**{k: v * 10 for k, v in columns.items()}, "y": ["u", "v"] * 20},
                       "y").model.features  # fmt: skip
    inputs = encode(features, table)
    scaled = fitting.fit_scaler(features, inputs)(inputs).numpy()
    zeros_and_ones = [1, 2, 3, 4]
    assert np.array_equal(scaled[:, zeros_and_ones], inputs[:, zeros_and_ones])
    assert np.allclose(scaled[:, [0, 5]].mean(0), 0, atol=1e-6)
    assert np.allclose(scaled[:, [0, 5]].std(0), 1)


def test_divergence_is_an_error() -> None:
    with pytest.raises(fastnn.NonFiniteError):
        trained(prices(), "price", recipe={"lr": 1e30, "activation": "relu", "hidden": (8, 8)})


# --- predictions ---


def test_predictions_come_row_by_row_whatever_the_columns_order() -> None:
    columns = flowers(60)
    model = trained(columns, "kind").model
    outputs = model.outputs(table_of(**columns))
    shuffled = table_of(more=range(60), **{name: columns[name] for name in reversed(columns)})
    assert np.array_equal(model.outputs(shuffled), outputs)
    rows = np.array([5, 3, 59])
    assert np.array_equal(model.outputs(shuffled.take(rows)), outputs[rows])
    shares = model.probabilities(outputs)
    assert list(shares) == ["big", "small"]
    assert np.allclose(np.stack(list(shares.values()), 1), softmax(outputs, axis=1))
    labels = model.labels(outputs)
    assert labels == [("big", "small")[i] for i in outputs.argmax(1)]


def test_blocks_of_rows_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastnn.tabular import model as module

    columns = prices(60)
    model = trained(columns, "price").model
    whole = model.outputs(table_of(**columns))
    monkeypatch.setattr(module, "_ROWS", 7)
    assert np.array_equal(model.outputs(table_of(**columns)), whole)
    columns["age"][43] = "old"
    with pytest.raises(ValueError, match="column 'age', row 44: expected a number"):
        model.outputs(table_of(**columns))


def test_the_saved_network_alone_gives_the_outputs(tmp_path: Path) -> None:
    """`load_model` and the encoded rows are all one needs: scaling is in the network."""
    columns = prices(60)
    model = trained(columns, "price").model
    model.save(tmp_path / "m")
    network = fastnn.load_model(tmp_path / "m")
    assert isinstance(model.target, Quantity)
    raw = network(encode(model.features, table_of(**columns))).detach().numpy()[:, 0].astype(float)
    expected = model.target.mean + model.target.std * raw
    assert np.array_equal(model.outputs(table_of(**columns)), expected)


def test_outputs_that_are_not_finite_are_refused() -> None:
    columns = prices(20)
    model = trained(columns, "price").model
    columns["age"][3] = 1e60
    with pytest.raises(ValueError, match="row 4: the network's output is not finite"):
        model.outputs(table_of(**columns))


def test_unseen_categories_are_found() -> None:
    model = trained(prices(60), "price").model
    new = prices(9)
    new["place"][2] = new["place"][5] = "west"
    new["place"][4] = ""
    assert {n: r.tolist() for n, r in model.unseen(table_of(**new)).items()} == {"place": [2, 5]}
    assert not model.unseen(table_of(**prices(9)))


# --- files ---


@pytest.mark.parametrize(("make", "target"), [(flowers, "kind"), (prices, "price")])
def test_a_model_comes_back(make: Any, target: str, tmp_path: Path) -> None:
    columns = make(60)
    columns["gap"] = [i if i % 3 else "" for i in range(60)]
    columns["ä\n,"] = ["x", "", '"y"', "é\n"] * 15
    model = trained(columns, target).model
    model.save(tmp_path / "m")
    loaded = TableModel.load(tmp_path / "m")
    assert (loaded.features, loaded.target) == (model.features, model.target)
    assert loaded.training == model.training
    table = table_of(**columns)
    assert np.array_equal(loaded.outputs(table), model.outputs(table))
    assert loaded.evaluate(table) == model.evaluate(table)
    assert not any(module.training for module in loaded.network.modules())
    json.dumps(loaded.training, allow_nan=False)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(FileFormatError, match="expected a safetensors file"):
        TableModel.load(path)
    save_model(nn.Sequential(nn.Linear(2, 1)), path)
    with pytest.raises(FileFormatError, match="expected a model that `fastnn train` wrote"):
        TableModel.load(path)
    with pytest.raises(FileNotFoundError):
        TableModel.load(tmp_path / "missing")


def damages(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The entry with each of its parts gone, of another kind, or of another value."""
    features, target = entry["features"], entry["target"]
    numeric, categorical = features[0], features[2]
    return [
        *({k: v for k, v in entry.items() if k != name} for name in entry),
        *({**entry, name: other} for name in entry for other in (None, 5, "x", [], {})
          if other != entry[name]),
        {**entry, "training": {**entry["training"], "rows": "many"}},
        {**entry, "training": {**entry["training"], "scores": {"network": {"accuracy": "high"}}}},
        {**entry, "version": 2},
        {**entry, "features": features[:2]},
        {**entry, "features": [*features, numeric]},
        {**entry, "features": [None, *features[1:]]},
        {**entry, "features": [{**numeric, "kind": "other"}, *features[1:]]},
        {**entry, "features": [{**numeric, "fill": "1"}, *features[1:]]},
        {**entry, "features": [{**numeric, "more": 1}, *features[1:]]},
        {**entry, "features": [*features[:2], {**categorical, "categories": ["red", "blue"]}]},
        {**entry, "features": [*features[:2], {**categorical, "categories": ("red", 2)}]},
        {**entry, "features": [*features[:2], {**categorical, "categories": ("r", "g", "b")}]},
        {**entry, "target": {**target, "labels": ("big",)}},
        {**entry, "target": {**target, "labels": ("big", None)}},
        {**entry, "target": {"kind": "quantity", "name": "y", "mean": 0.0, "std": 1.0}},
    ]  # fmt: skip


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    model = trained(flowers(), "kind").model
    model.save(path)
    [(key, entry)] = read_metadata(path).items()
    for changed in damages(entry):
        save_model(model.network, path, metadata={key: changed})
        with pytest.raises(FileFormatError, match="m: expected a model of a table: "):
            TableModel.load(path)
    save_model(model.network, path, metadata={key: entry})
    assert isinstance(TableModel.load(path), TableModel)


def test_a_table_of_another_kind(tmp_path: Path) -> None:
    model = trained(flowers(), "kind").model
    with pytest.raises(ValueError, match="expected the columns 'width', 'colour', which"):
        model.outputs(table_of(length=[1]))
    with pytest.raises(ValueError, match="expected the column 'kind'"):
        model.evaluate(Table("t.csv", {k: v for k, v in table_of(**flowers()).columns.items()
                                       if k != "kind"}))  # fmt: skip
    with pytest.raises(ValueError, match="expected a classification for probabilities"):
        trained(prices(), "price").model.probabilities(np.zeros(3))
