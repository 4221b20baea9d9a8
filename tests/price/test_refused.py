# SPDX-License-Identifier: Apache-2.0
"""What has no price, and the messages that say why."""

import keras
import numpy as np
import pytest

import shrinkfit


def test_a_softmax_of_a_constant_says_what_to_calibrate_with():
    entering = keras.Input((4, 3))
    logits = keras.layers.Flatten()(entering)
    model = keras.Model(entering, keras.layers.Dense(3, activation="softmax")(logits))
    graph = shrinkfit.read_keras(model, np.zeros((2, 4, 3), np.float32))
    with pytest.raises(shrinkfit.ShrinkfitError, match="too small for the C runtime.*give representative inputs"):
        shrinkfit.price(graph)


@pytest.mark.parametrize("streaming", [True, False])
def test_no_frames_per_call_are_refused(streaming):
    for price in (shrinkfit.price, shrinkfit.price_all):
        with pytest.raises(shrinkfit.ShrinkfitError, match="frames_per_call is 0, expected a whole number"):
            price(None, streaming=streaming, frames_per_call=0)
