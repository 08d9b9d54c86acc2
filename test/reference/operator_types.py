"""Which inputs and outputs of each ai.onnx operator share a type that may be float32 or float16.

Writes electron/engine/formats/onnx/fit/operator-types.json: for each operator and each version of its
schema, one character for every input and output. Upper case letters are type parameters that take
float and float16 alike, lower case ones take float but not float16, `f` is always float, `-` is never
float. `*` after the last one says that it repeats. Left out are operators whose outputs have a type
of their own choosing (an attribute), those of sequences, and those with subgraphs.

    python test/reference/operator_types.py   (onnx 1.23.1)
"""

import json
import pathlib

import onnx
from onnx import defs

CHOOSERS = {"dtype", "to", "output_dtype", "saturate"}


def symbols_of(schema):
    letters = {}
    constraints = {c.type_param_str: set(c.allowed_type_strs) for c in schema.type_constraints}

    def symbol(formal):
        allowed = constraints.get(formal.type_str, {formal.type_str})
        if "tensor(float)" not in allowed:
            return "-"
        if formal.type_str not in constraints:
            return "f"
        letter = letters.setdefault(formal.type_str, "ABCDE"[len(letters)])
        return letter if "tensor(float16)" in allowed else letter.lower()

    def row(formals):
        text = "".join(symbol(formal) for formal in formals)
        variadic = defs.OpSchema.FormalParameterOption.Variadic
        return text + "*" if formals and formals[-1].option == variadic else text

    return [row(list(schema.inputs)), row(list(schema.outputs))]


def is_plain(schema):
    graphs = {defs.OpSchema.AttrType.GRAPH, defs.OpSchema.AttrType.GRAPHS}
    constraints = {c.type_param_str: list(c.allowed_type_strs) for c in schema.type_constraints}
    formals = [*schema.inputs, *schema.outputs]
    has_sequence = any(
        all(kind.startswith(("seq(", "optional(")) for kind in constraints.get(f.type_str, [f.type_str]))
        for f in formals
    )
    return (
        not has_sequence
        and not CHOOSERS & set(schema.attributes)
        and not any(attribute.type in graphs for attribute in schema.attributes.values())
    )


def main():
    table = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and not schema.deprecated and is_plain(schema):
            table.setdefault(schema.name, {})[schema.since_version] = symbols_of(schema)
    rows = {}
    for name, versions in sorted(table.items()):
        kept = []
        for since in sorted(versions):
            if not kept or kept[-1][1:] != versions[since]:
                kept.append([since, *versions[since]])
        rows[name] = kept
    out = pathlib.Path(__file__).parents[2] / "electron/engine/formats/onnx/fit/operator-types.json"
    lines = [f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items()]
    out.write_text(
        "{\n"
        f'  "source": "onnx {onnx.__version__}, test/reference/operator_types.py",\n'
        '  "operators": {\n' + ",\n".join(lines) + "\n  }\n}\n"
    )
    print(f"{len(rows)} operators")


main()
