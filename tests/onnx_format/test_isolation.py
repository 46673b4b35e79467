"""What ends a process, or never ends, does so in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from prunec.frontends.onnx import inference  # noqa: E402
from prunec.frontends.onnx.frontend import model_of  # noqa: E402
from prunec.frontends.onnx.isolation import by_command, written_by  # noqa: E402

HERE = Path("model.onnx")
GIGABYTE = 1 << 30


def doubled(data: bytes, out) -> None:
    out.write(data * 2)


def crashing(data: bytes, out) -> None:
    out.write(data)
    out.flush()
    os.kill(os.getpid(), signal.SIGSEGV)


def raising(data: bytes, out) -> None:
    out.write(data)
    raise ValueError("the screen shows nothing of this")


def endless(data: bytes, out) -> None:
    out.write(data)
    out.flush()
    time.sleep(1000)


def hungry(data: bytes, out) -> None:
    out.write(data)
    out.flush()
    held = [np.ones(GIGABYTE // 8) for _ in range(64)]
    out.write(b"%d" % len(held))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")
@pytest.mark.parametrize("work", [crashing, raising, endless, hungry])
def test_what_was_written_before_the_end_is_known(work, capfd):
    assert written_by(work, "", b"so far", 2.0 if work is endless else 60.0, GIGABYTE) == b"so far"
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")
def test_more_than_a_pipe_holds():
    data = bytes(range(256)) * 5000
    assert written_by(doubled, "", data, 60.0, GIGABYTE) == data * 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")
@pytest.mark.parametrize("busy", ["time.sleep(1000)", "pow(3, 10**9)"])
def test_a_process_ends_with_a_parent_that_is_killed(tmp_path, busy):
    """Sleeping, and in the middle of a computation that never comes back to Python."""
    program = f"""
import os, time
from pathlib import Path
from prunec.frontends.onnx.isolation import written_by
def endless(data, out):
    Path({str(tmp_path / "number")!r}).write_text(str(os.getpid()))
    {busy}
written_by(endless, "", b"", 1000.0, 1 << 30)
"""
    parent = subprocess.Popen([sys.executable, "-c", program])
    child = until(lambda: (tmp_path / "number").read_text() if (tmp_path / "number").exists() else "")
    time.sleep(0.2)
    assert os.path.exists(f"/proc/{child}")
    parent.kill()
    parent.wait()
    until(lambda: not os.path.exists(f"/proc/{child}") or "(zombie)" in state(child))


def until(found, seconds=10.0):
    """What a function gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("nothing came of it")


def state(number):
    try:
        return Path(f"/proc/{number}/status").read_text()
    except OSError:
        return "(zombie)"


def test_a_command_ends_by_itself():
    endless = "from prunec.support.lifetime import end_after; end_after(0.5); pow(3, 10**9)"
    start = time.monotonic()
    assert by_command([sys.executable, "-c", endless], b"", 60.0) == b""
    assert time.monotonic() - start < 30


def test_commands_do_the_same():
    read = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data * 2); sys.stdout.flush()"
    assert by_command([sys.executable, "-c", read], b"abc", 60.0) == b"abcabc"
    assert by_command([sys.executable, "-c", f"{read}; import os; os.abort()"], b"abc", 60.0) == b"abcabc"
    slow = f"{read}; import time; time.sleep(1000)"
    assert by_command([sys.executable, "-c", slow], b"abc", 3.0) == b"abcabc"
    assert by_command(["no-such-command-here"], b"abc", 60.0) == b""


def model(nodes, *initializers, functions=(), shape=(2, 3, 4, 5)):
    inputs = [helper.make_tensor_value_info("x", 1, list(shape))]
    inputs.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    outputs = [helper.make_tensor_value_info("y", 1, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("my.own", 1)]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=9)


def numbers(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _steps():
    """A kernel larger than the image, whose result is cut in steps."""
    return [
        helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[20, 20]),
        helper.make_node("Constant", [], ["s"], value=numbers("s", 0)),
        helper.make_node("Constant", [], ["e"], value=numbers("e", 9)),
        helper.make_node("Constant", [], ["a"], value=numbers("a", 2)),
        helper.make_node("Constant", [], ["t"], value=numbers("t", 2)),
        helper.make_node("Slice", ["p", "s", "e", "a", "t"], ["q"]),
    ]


def _branch():
    body = helper.make_graph(_steps(), "body", [], [helper.make_tensor_value_info("q", 1, None)])
    return model(
        [
            helper.make_node("Relu", ["x"], ["first"]),
            helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body),
        ]
    )


def _function():
    imports = [helper.make_opsetid("", 17)]
    own = helper.make_function("my.own", "Cut", ["x"], ["q"], _steps(), imports)
    nodes = [
        helper.make_node("Relu", ["x"], ["first"]),
        helper.make_node("Cut", ["x"], ["y"], domain="my.own"),
    ]
    return model(nodes, functions=[own])


def _batch():
    return model(
        [
            helper.make_node("Relu", ["x"], ["first"]),
            helper.make_node("GatherND", ["x", "i"], ["y"], batch_dims=-2),
        ],
        numbers("i", 0),
    )


@pytest.mark.parametrize("make", [_branch, _function, _batch])
def test_models_that_end_the_inference_of_onnx(make, capfd):
    found = model_of(make().SerializeToString(), HERE)
    named = {found.graph.nodes[tensor.node].name: shape for tensor, shape in found.graph.hints.items()}
    assert named["first"] == (2, 3, 4, 5)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")
def test_a_node_that_inference_does_not_come_back_from(monkeypatch):
    monkeypatch.setattr(inference, "SECONDS_OF_NODE", 1.0)
    nodes = [
        helper.make_node("Relu", ["x"], ["first"]),
        helper.make_node("Einsum", ["x"], ["y"], equation="." * 9),
    ]
    start = time.monotonic()
    found = model_of(model(nodes).SerializeToString(), HERE)
    assert time.monotonic() - start < 20
    named = {found.graph.nodes[tensor.node].name: shape for tensor, shape in found.graph.hints.items()}
    assert named["first"] == (2, 3, 4, 5)


def test_the_module_answers_as_the_function_does():
    question = model(
        [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Flatten", ["a"], ["y"])]
    ).SerializeToString()
    command = [sys.executable, "-m", inference.__name__]
    expected = b'["a", [2, 3, 4, 5]]\n\n["y", [2, 60]]\n\n'
    assert by_command(command, question, 60.0) == expected
    assert written_by(inference.answer, inference.__name__, question, 60.0, GIGABYTE) == expected
