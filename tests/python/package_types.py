"""A user's program, for mypy --strict: it is checked, not run."""

from __future__ import annotations

from typing import Dict, List, Optional

import numpy as np
import numpy.typing as npt

import krait


def scores(path: str, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with krait.Model(path) as model, model.state(lanes=2, chunk=16) as state:
        rows: npt.NDArray[np.float32] = state.run(x, dt=0.5, mode="scan")
        one: npt.NDArray[np.float32] = state.step(x[:, 0])
        state.stepper(x[:, 0], one)()
        result: krait.Result = state.run_result(x, lengths=[3, 0], keep=["hidden"])
        kept: Dict[str, npt.NDArray[np.float32]] = result.kept
        view: npt.NDArray[np.uint8] = state.numpy()
        part: npt.NDArray[np.float32] = state.parts["layers.0.mixer.ssm"][0]
        return np.concatenate([rows.ravel(), kept["hidden"].ravel(), part.ravel(), view.astype(np.float32)])


def text(model: krait.Model, rng: Optional[krait.Rng] = None) -> List[str]:
    try:
        return [piece.upper() for piece in model.generate("It was", tokens=5, stop=["."], rng=rng)]
    except krait.UnsupportedError as why:
        status: Optional[int] = why.status
        return [why.message, str(status)]
