# SPDX-License-Identifier: Apache-2.0
"""What fitting asks of candidates, stage by stage, is the price of the whole graph, and decides as that would."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import shrinkfit
from shrinkfit.fit.channels import couple, slice_weights
from shrinkfit.fit.pricing import Pricer
from shrinkfit.fit.prune import narrow
from shrinkfit.price.cost import price_graph
from shrinkfit.price.quote import Part, Quote
from shrinkfit.read.keras_model import lower, shape_weights
from shrinkfit.read.stages import fuse
from shrinkfit.read.topology import read_topology
from tests import keras_models
from tests.keras_models import MORE_MODELS

EFM32 = shrinkfit.get_device("efm32")
DEVICES = (EFM32, shrinkfit.get_device("rp2040"), replace(EFM32, optimize="speed"), replace(EFM32, optimize="size"))
NAMES = ("plain_2d", "residual_1d", "loose_ends", "residual_projection")
MODELS = MORE_MODELS | {name: getattr(keras_models, name) for name in NAMES}
EXACT = ("flops", "flash_bytes", "latency_ms", "energy_uj")
LIMITS = ({"flops": 0.4}, {"ram_bytes": 0.5}, {"flash_bytes": 0.5, "latency_ms": 0.5, "ram_bytes": 0.4})


class Whole:
    """Prices each candidate by a graph of its own, of which nothing is known from others."""

    def __init__(self, model, device):
        self.topology = read_topology(model)
        self.stages, self.channels, self.device = fuse(self.topology), couple(self.topology), device
        self.weights = {node.name: shape_weights(node) for node in self.topology.nodes.values()}
        self.pricer = Pricer(self.topology, self.stages, self.channels, device)

    def graph(self, widths):
        alive = np.ones(self.channels.count, bool)
        for group, width in zip(self.channels.groups, widths, strict=True):
            alive[group.units[width:]] = False
        weights = slice_weights(self.topology, self.channels, self.weights, alive)
        return lower(self.topology, self.stages, weights, {}, self.topology.name)

    def quote(self, widths):
        graph = self.graph(widths)
        return Quote([Part(graph, self.device)], len(graph.inputs) + len(graph.outputs), lambda: graph, self.device)

    def costs(self, widths, limits):
        quote = self.quote(widths)
        costs = {name: getattr(quote, name) for name in limits}
        if "ram_bytes" in limits:
            costs["ram_excess"] = sum(max(0.0, n - limits["ram_bytes"]) for n in quote.live_ram_bytes)
        return costs


def described(graph):
    """All that a graph says, arrays as bytes."""
    plain = {"name", "inputs", "outputs"}
    ops = [
        (
            op.kind,
            *sorted((k, v.tobytes() if isinstance(v, np.ndarray) else v) for k, v in vars(op).items() if k != "_known"),
        )
        for op in graph.ops
    ]
    assert all(plain <= {key for key, _ in op[1:]} for op in ops)
    return graph.tensors, ops, graph.inputs, graph.outputs, {k: v.tobytes() for k, v in graph.constants.items()}


@pytest.mark.parametrize("name", MODELS)
def test_quick_costs_are_the_whole_graphs(name):
    keras.backend.clear_session()
    model, rng = MODELS[name](), np.random.default_rng(3)
    for device in DEVICES:
        whole = Whole(model, device)
        for _ in range(4):
            widths = tuple(int(rng.integers(1, width + 1)) for width in whole.pricer.whole)
            quick, quote = whole.pricer.quick(widths, (*EXACT, "ram_bytes")), whole.quote(widths)
            cost = price_graph(whole.graph(widths), device)
            assert [quick[name] for name in EXACT] == [getattr(cost, name) for name in EXACT]
            assert cost.ram_bytes <= quick["ram_bytes"] == quote.ram_bytes
            assert whole.pricer._quotes[widths].live_ram_bytes == quote.live_ram_bytes
            assert whole.pricer.cost(widths) == cost
            assert described(whole.pricer._graph(widths)) == described(whole.graph(widths))


@pytest.mark.parametrize("name", ["ds_cnn", "inverted_residual", "dense_net", "shared_layers"])
@pytest.mark.parametrize("shares", LIMITS, ids=" ".join)
def test_narrowing_decides_as_whole_graphs_would(name, shares):
    keras.backend.clear_session()
    whole = Whole(getattr(keras_models, name)(), EFM32)
    pricer, groups, full = whole.pricer, whole.channels.groups, whole.pricer.whole
    least, most = pricer.costs((1,) * len(groups)), pricer.costs(full)
    limits = {r: least[r] + share * (most[r] - least[r]) for r, share in shares.items()}
    worth = np.random.default_rng(5).gamma(0.7, size=whole.channels.count)
    pricer.ram_limit = limits.get("ram_bytes")
    settings = {"minimum": 1, "multiple": 2, "prefer": 4}
    found = narrow(groups, full, worth, limits, lambda widths: pricer.quick(widths, limits), **settings)
    expected = narrow(groups, full, worth, limits, lambda widths: whole.costs(widths, limits), **settings)
    assert found == expected and found[0] != full
