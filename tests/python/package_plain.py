#!/usr/bin/env python3
"""What krait does where there is no NumPy: models of tokens, and rows of numbers as lists or array.array.

    package_plain.py MODELS [blocked]           blocked: NumPy is there, but not to be found
"""

import array
import sys

if sys.argv[2:] == ["blocked"]:
    sys.modules["numpy"] = None
import krait  # noqa: E402

assert krait._arrays.numpy is None
model = krait.Model(sys.argv[1] + "/mamba-novels.gguf")
print("".join(model.generate("It was ", tokens=20)))
state = model.state()
rows = state.run([65, 66, 67])
assert type(rows) is memoryview and rows.shape == (3, 256) and rows.format == "f"
again = model.state()
for i, token in enumerate((65, 66, 67)):
    row = again.step(token)
    assert row.shape == (256,) and row.tolist() == rows.tolist()[i]
assert krait.sample(row) == max(range(256), key=lambda i: row[i])
assert state.run(array.array("i", [1, 2]), rows="last").shape == (256,)
assert state.run([], rows="none").nbytes == 0
out = array.array("f", [0] * 256)
assert again.step(1, out=out) is out and out[0] != 0
token = array.array("i", [2])
two = model.state(lanes=2)
assert two.step([1, 2]).shape == (2, 256)
rows = memoryview(bytearray(1024)).cast("f", shape=[1, 256])
again.stepper(token, rows)()
assert again.hash() == state.hash()
part = state.parts["layers.0.mixer.ssm"][0]
assert part.shape == (512, 16) or part.nbytes == 512 * 16 * 4
assert len(state.data) == 389120
state.parts["layers.0.mixer.ssm"][0] = part
motion = krait.Model(sys.argv[1] + "/s5-har.safetensors")
assert motion.state().run([[0.0] * 9] * 3).shape == (3, 6)
assert motion.state().step([0.0] * 9).shape == (6,)
held = motion.state().run_result([[float("nan")] + [0.0] * 8], nan="hold").held
assert held[0] == 1
try:
    state.numpy()
except ImportError:
    pass
else:
    raise AssertionError
print("plain")
