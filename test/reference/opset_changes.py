"""Which versions of ai.onnx change what a node of each operator means.

Writes electron/engine/formats/onnx/fit/opset-changes.json: for each operator the opsets at which it was
introduced (first) and at which a node that was valid before means something else or is valid no
more. A version is harmless only when its schema is a superset: the same inputs and outputs in the
same places (new optional inputs at the end), the same attributes with the same defaults (new ones
optional), and type constraints that still take every old type. Changes that no schema shows are
listed below by hand, each with its reason.

    python test/reference/opset_changes.py   (onnx 1.23.1)
"""

import json
import pathlib

import onnx
from onnx import defs

# Not visible in a schema, from the operators' changelog.
BY_HAND = {
    "RoiAlign": {16: "the new attribute's default, half_pixel, is not what version 10 did"},
    "Split": {18: "an equal split now needs num_outputs"},
    "GroupNormalization": {21: "scale and bias are per channel, not per group"},
    "Dropout": {7: "is_test is gone; training is no mode any more"},
    "AveragePool": {19: "padding beyond the input with ceil_mode is counted otherwise"},
    "MaxPool": {},
    "BatchNormalization": {7: "is_test is gone"},
    "PRelu": {7: "a slope of one axis lay along axis 1, and is now broadcast along the last"},
    "Upsample": {10: "deprecated"},
    "Scatter": {11: "deprecated"},
}

def default_of(attribute):
    return attribute.default_value.SerializeToString() if attribute.default_value.type else None


def types_of(schema, formal):
    for constraint in schema.type_constraints:
        if constraint.type_param_str == formal.type_str:
            return set(constraint.allowed_type_strs)
    return {formal.type_str}


def same_formals(old, new, old_formals, new_formals):
    if len(new_formals) < len(old_formals):
        return False
    for index, formal in enumerate(new_formals):
        if index >= len(old_formals):
            if formal.option == defs.OpSchema.FormalParameterOption.Single:
                return False
            continue
        before = old_formals[index]
        single = defs.OpSchema.FormalParameterOption.Single
        if before.option != formal.option and before.option != single:
            return False
        if not types_of(old, before) <= types_of(new, formal):
            return False
    return True


def is_superset(old, new):
    if new.deprecated:
        return False
    for name, attribute in old.attributes.items():
        other = new.attributes.get(name)
        if other is None or other.type != attribute.type:
            return False
        if default_of(other) != default_of(attribute) or (other.required and not attribute.required):
            return False
    for name, attribute in new.attributes.items():
        if name not in old.attributes and attribute.required:
            return False
    return same_formals(old, new, list(old.inputs), list(new.inputs)) and same_formals(
        old, new, list(old.outputs), list(new.outputs)
    )


def main():
    history = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "":
            history.setdefault(schema.name, {})[schema.since_version] = schema
    table = {}
    for name, versions in sorted(history.items()):
        ordered = sorted(versions)
        changes = []
        for before, after in zip(ordered, ordered[1:]):
            by_hand = BY_HAND.get(name, {}).get(after)
            if by_hand or not is_superset(versions[before], versions[after]):
                changes.append(after)
        table[name] = [ordered[0], *sorted(changes)]
    latest = max(max(versions) for versions in history.values())
    out = pathlib.Path(__file__).parents[2] / "electron/engine/formats/onnx/fit/opset-changes.json"
    lines = [f'    {json.dumps(name)}: {json.dumps(row)}' for name, row in table.items()]
    out.write_text(
        "{\n"
        f'  "source": "onnx {onnx.__version__}, test/reference/opset_changes.py",\n'
        f'  "latest": {latest},\n'
        '  "operators": {\n' + ",\n".join(lines) + "\n  }\n}\n"
    )
    print(f"{len(table)} operators to opset {latest}")


main()
