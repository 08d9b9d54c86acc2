"""Writes the facts of LiteRT's schema that the reader, the verifier and the writer are driven by.

    python build/litert-schema.py > electron/engine/formats/litert/read/schema.json
    node build/format.mjs electron/engine/formats/litert/read/schema.json

Needs tensorflow-cpu 2.21.0, whose generated Python accessors state each table's fields: their ids,
types and defaults, the values of the enumerations and the members of the unions. Only these facts are
taken: a table is a list in the order of field ids of [name, type, default]; a type is a scalar's name,
"string", a table's name, "union NAME", or one of these in brackets for a vector.
"""

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path

SCALARS = {
    "Bool": "bool", "Int8": "int8", "Uint8": "uint8", "Int16": "int16", "Uint16": "uint16", "Int32": "int32",
    "Uint32": "uint32", "Int64": "int64", "Uint64": "uint64", "Float32": "float32", "Float64": "float64",
}
NAMED_ENUMS = ("TensorType", "BuiltinOperator", "DimensionType")


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def bodies(source):
    """The text of every class, by name."""
    parts = re.split(r"^class (\w+)\(object\):\n", source, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def methods(body):
    parts = re.split(r"^    def (\w+)\((.*?)\):\n", body, flags=re.M)
    return {name: (arguments, text) for name, arguments, text in zip(parts[1::3], parts[2::3], parts[3::3])}


def offset_type(table, accessor, unions):
    """The type of a field that is stored as an offset, from how its accessor follows it."""
    arguments, text = accessor
    vector = ", j" in arguments
    if "_tab.Union(" in text:
        return None
    found = re.search(r"obj = (\w+)\(\)", text)
    if "_tab.Indirect(" in text:
        kind = found.group(1)
    elif "_tab.String(" in text:
        kind = "string"
    else:
        kind = SCALARS[re.search(r"_tab\.Get\(flatbuffers\.number_types\.(\w+)Flags, a", text).group(1)]
        assert vector, table
    return f"[{kind}]" if vector else kind


def fields(table, body, source, unions):
    known = methods(body)
    rows = []
    count = int(re.search(rf"def {table}Start\(builder\):\n    builder\.StartObject\((\d+)\)", source).group(1))
    adders = re.findall(rf"def {table}Add\w+\(builder, (\w+)\):\n    builder\.Prepend(\w+)Slot\((\d+), .*?, ([^ ]+)\)\n", source)
    for argument, slot, index, default in adders:
        name = snake(argument)
        # A deprecated field keeps its id and has no accessor any more.
        while len(rows) < int(index):
            rows.append(DEPRECATED[(table, len(rows))])
        if slot in SCALARS:
            value = json.loads(default.lower()) if default in ("True", "False") else float(default)
            rows.append([name, SCALARS[slot], int(value) if float(value).is_integer() else value])
            continue
        accessor = known[argument[0].upper() + argument[1:]]
        kind = offset_type(table, accessor, unions)
        # A union's member is named by the field before it.
        rows.append([name, kind or f"union {UNION_OF[(table, name)]}"])
    assert len(rows) == count, table
    return rows


# Fields that the schema calls deprecated, which old files hold.
DEPRECATED = {
    ("ResizeBilinearOptions", 0): ["new_height", "int32", 0],
    ("ResizeBilinearOptions", 1): ["new_width", "int32", 0],
    ("SignatureDef", 3): ["deprecated_tag", "string"],
}

UNION_OF = {
    ("Operator", "builtin_options"): "BuiltinOptions",
    ("Operator", "builtin_options2"): "BuiltinOptions2",
    ("QuantizationParameters", "details"): "QuantizationDetails",
    ("DimensionMetadata", "array_segments"): "SparseIndexVector",
    ("DimensionMetadata", "array_indices"): "SparseIndexVector",
}


def constants(body):
    return {name: int(value) for name, value in re.findall(r"^    (\w+) = (-?\d+)$", body, flags=re.M)}


def main():
    source = (Path(find_spec("tensorflow").origin).parent / "lite/python/schema_py_generated.py").read_text()
    classes = bodies(source)
    unions = re.findall(r"^def (\w+)Creator\(unionType, table\):", source, flags=re.M)
    tables = {
        name: fields(name, body, source, unions)
        for name, body in classes.items()
        if "GetRootAs" in body
    }
    named = lambda name: [key for key, _ in sorted(constants(classes[name]).items(), key=lambda item: item[1])]
    for name in (*NAMED_ENUMS, *unions):
        values = sorted(constants(classes[name]).values())
        assert values == list(range(len(values))), name
    json.dump(
        {
            "tables": tables,
            "unions": {name: named(name) for name in unions},
            "enums": {name: named(name) for name in NAMED_ENUMS},
        },
        sys.stdout,
    )


main()
