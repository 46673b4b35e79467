"""What a script does with an ONNX model."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from math import prod
from typing import Any, Mapping

from prunec.embedded.command import check_output
from prunec.embedded.onnx_edits import MessageEdits, apply_edits, nodes_by_key
from prunec.embedded.onnx_preparing import Preparation, missing, prepare
from prunec.embedded.onnx_slicing import append, external_data, full_check, layout, slice_constants
from prunec.embedded.onnx_tensors import constants_of, path_of, place_of, rows_of, type_of
from prunec.embedded.slices import ParameterSlice, Problem, misfits

#: The option with which a script runs itself to check a file.
CHECK = "--full-check"


def prune_file(
    options: argparse.Namespace,
    name: str,
    slices: Mapping[str, ParameterSlice],
    edits: MessageEdits,
    preparation: Preparation,
) -> None:
    """Prunes a model, or only checks that it fits; ``name`` is the one that all this was made for."""
    check_output(options)
    folder = os.path.dirname(os.path.abspath(options.input))
    model = load(options.input)
    if options.output:
        check_places(model.graph, folder, options.output)
    problems = missing(model.graph, preparation)
    if not problems:
        prepare(model, folder, preparation)
        problems = find_problems(model.graph, folder, slices, edits)
    if problems:
        raise Problem(*problems, f"nothing was written; the model must be {name!a}")
    if options.check:
        print(f"all of the {len(slices)} constants to slice are there")
        return
    report(model.graph, slices, options.dry_run)
    if not options.dry_run:
        write_whole(model, options, folder, slices, edits)


def load(path: str) -> Any:
    """The message of a file."""
    from onnx import ModelProto

    model = ModelProto()
    with open(path, "rb") as file:
        try:
            model.ParseFromString(file.read())
        except Exception as error:  # its class depends on the implementation of protocol buffers
            raise Problem(f"this is not an ONNX model: {error}") from None
    if not model.HasField("graph"):
        raise Problem("this is not an ONNX model: it holds no graph")
    return model


def check_places(graph: Any, folder: str, output: str) -> None:
    """Whether external data can be written beside the output."""
    places = [place for _, tensor in constants_of(graph) for place in [place_of(tensor)] if place]
    beside = os.path.realpath(os.path.dirname(os.path.abspath(output)))
    if places and beside == os.path.realpath(folder):
        raise Problem("the external data would replace those of the input; write into another folder")
    for location in {place.location: None for place in places}:
        target = os.path.join(beside, location)
        if os.path.lexists(target) and not os.path.isfile(target):
            raise Problem(f"{location!a} is there and not a file; write into another folder")
        inside = os.path.realpath(os.path.dirname(target))
        if os.path.commonpath([beside, inside]) != beside:
            raise Problem(f"{location!a} would leave the folder by a link; write into another folder")


def find_problems(
    graph: Any, folder: str, slices: Mapping[str, ParameterSlice], edits: MessageEdits
) -> list[str]:
    """All that keeps a model from being pruned; nothing if all is well."""
    tensors, rows, nodes = dict(constants_of(graph)), dict(rows_of(graph)), nodes_by_key(graph)
    problems = []
    for name, parameter in slices.items():
        if name in rows:
            problems += misfits(parameter, (len(rows[name].floats),), "float32")
        elif name in tensors:
            problems += misfits(parameter, tuple(tensors[name].dims), type_of(tensors[name]))
        else:
            problems.append(f"{name!a} is missing")
    wanted = [*edits.attributes, *edits.inputs, *(name for copy in edits.copies for name in copy[:2])]
    problems += [f"no node makes {name!a}" for name in dict.fromkeys(wanted) if name not in nodes]
    held = {**tensors, **nodes}
    problems += [f"the constant {name!a} is missing" for name in edits.elements if name not in held]
    for name, tensor in tensors.items():
        place = place_of(tensor)
        if place is not None:
            try:
                path_of(place, folder, name)
            except Problem as problem:
                problems += problem.args
    return problems


def report(graph: Any, slices: Mapping[str, ParameterSlice], dry_run: bool) -> None:
    """Prints how much is kept, and for a dry run of which constants."""
    before = after = 0
    tensors = dict(constants_of(graph))
    for name, tensor in tensors.items():
        new_shape = slices[name].new_shape if name in slices else tensor.dims
        before += prod(tensor.dims)
        after += prod(new_shape)
        if dry_run and name in slices:
            print(f"{name!a}: {tuple(tensor.dims)} -> {new_shape}")
    print(f"{len(slices)} of {len(tensors)} constants sliced, {after} of {before} elements kept")


def write_whole(
    model: Any,
    options: argparse.Namespace,
    folder: str,
    slices: Mapping[str, ParameterSlice],
    edits: MessageEdits,
) -> None:
    """Writes into a folder beside the final names and moves when complete; on any failure leaves nothing."""
    beside, name = os.path.split(os.path.realpath(options.output))
    stage = tempfile.mkdtemp(prefix=".", suffix=".part", dir=beside)
    try:
        files = layout(model.graph, slices)
        for location, placed in files.items():
            os.makedirs(os.path.dirname(os.path.join(stage, location)), exist_ok=True)
            with open(os.path.join(stage, location), "xb") as file:
                for part in external_data(model.graph, folder, placed, slices):
                    append(file, part)
        slice_constants(model.graph, folder, slices)
        apply_edits(model, edits)
        written = os.path.join(stage, name)
        with open(written, "xb") as file:
            file.write(model.SerializeToString(deterministic=True))
        finding = finding_of(written)
        if finding and not finding_of(options.input):
            raise Problem(f"OUT.onnx fails onnx's full check, and IN.onnx passes it: {finding}")
        for part in (*files, name):
            target = os.path.join(beside, part)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.replace(os.path.join(stage, part), target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def finding_of(path: str) -> str:
    """What the full check says, in a process of its own, which some files end; nothing where all is well."""
    done = subprocess.run([sys.executable, __file__, CHECK, path], capture_output=True)
    text = ascii(" ".join(done.stderr.decode("utf-8", "replace").split())[:300])
    return text if done.returncode else ""


def answer_check() -> int:
    """Checks the file that the second option names; gives the exit status."""
    try:
        full_check(sys.argv[2])
    except Exception as error:  # whatever the check raises is its finding
        print(error, file=sys.stderr)
        return 1
    return 0
