import * as fs from 'node:fs';
import { onnx } from 'onnx-proto';
import { node, value } from './onnx-model.ts';
import { concat, integer, message, tag, text, varint } from './protobuf.ts';

/**
 * Write an ONNX file of `layers` MatMuls of [rows, columns] float32, with a hole where the weights are
 * (all zeros, and no disk space), or seeded noise where `noise` is given.
 */
export function writeBigModel(
  file: string,
  layers: number,
  rows: number,
  columns: number,
  noise?: (layer: number) => Uint8Array,
): void {
  const size = rows * columns * 4;
  const nodes = Array.from({ length: layers }, (_, layer) =>
    message(
      1,
      onnx.NodeProto.encode(node('MatMul', [`x${layer}`, `w${layer}`], [`x${layer + 1}`])).finish(),
    ),
  );
  const heads = Array.from({ length: layers }, (_, layer) => {
    const header = concat(
      integer(1, rows),
      integer(1, columns),
      integer(2, 1),
      text(8, `w${layer}`),
      tag(9, 2),
      varint(size),
    );
    return concat(tag(5, 2), varint(header.length + size), header);
  });
  const ends = concat(
    message(11, onnx.ValueInfoProto.encode(value('x0', [1, rows])).finish()),
    message(12, onnx.ValueInfoProto.encode(value(`x${layers}`, [1, columns])).finish()),
  );
  const length =
    concat(...nodes).length +
    heads.reduce((sum, head) => sum + head.length + size, 0) +
    ends.length;
  const fd = fs.openSync(file, 'w');
  let at = 0;
  const put = (bytes: Uint8Array): void => {
    fs.writeSync(fd, bytes, 0, bytes.length, at);
    at += bytes.length;
  };
  put(concat(integer(1, 8), message(8, integer(2, 13)), tag(7, 2), varint(length), ...nodes));
  for (const [layer, head] of heads.entries()) {
    put(head);
    if (noise === undefined) at += size;
    else put(noise(layer));
  }
  put(ends);
  fs.closeSync(fd);
}
