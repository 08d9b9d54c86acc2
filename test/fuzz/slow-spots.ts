// Readers that take much time over small files, on purpose: amplified files must show each of them.
import * as fs from 'node:fs';
import { largest } from '../../shared/lists.ts';
import { fieldsOf } from '../../electron/engine/formats/litert/read/schema.ts';
import { allNodes, parseProtobuf, type ProtoNode } from './protobuf-tree.ts';
import { targetOf, type Target } from './targets.ts';

/** Whether this process has used 300 ms of processor time from now: slow enough to be found, however busy the machine is. */
function slowEnough(): () => boolean {
  const from = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(from);
    return user + system > 300_000;
  };
}

/** As many steps as a loop within a loop makes, of some nanoseconds each; it ends where it is slow enough to be found. */
function quadratic(length: number): number {
  const isEnough = slowEnough();
  let steps = 0;
  for (let at = 0; at < length && !isEnough(); at++)
    for (let other = 0; other < length; other++) steps += Math.sin(other ^ at);
  return steps;
}

type SlowReader = (bytes: Buffer) => void;

const fieldsIn = (bytes: Buffer): readonly ProtoNode[] => allNodes(parseProtobuf(bytes) ?? []);

/** Slow readers, which files of a mutation or two do not show, by what they run over, and the kind of file that shows each. */
export const SLOW_SPOTS: Readonly<
  Record<string, { readonly of: 'onnx' | 'safetensors' | 'litert'; readonly read: SlowReader }>
> = {
  'all fields': {
    of: 'onnx',
    read: (bytes) => {
      quadratic(fieldsIn(bytes).length);
    },
  },
  'the characters of a name': {
    of: 'onnx',
    read: (file) => {
      const texts = fieldsIn(file).filter(({ children }) => children === null);
      quadratic(largest(texts.map(({ bytes }) => bytes.length)));
    },
  },
  'a tensor that many nodes share': { of: 'onnx', read: readSharedTensors },
  'a scale that many weights share': { of: 'safetensors', read: readSharedScales },
  'a string that many tables share': {
    of: 'litert',
    read: (bytes) => readAnew(bytes, 'Model', bytes.readUInt32LE(0), slowEnough()),
  },
};

/** Reads what is shared once for each of those that share it; ends where it is slow enough to be found. */
function readForEach(uses: Iterable<Uint8Array | undefined>): number {
  const isEnough = slowEnough();
  let sum = 0;
  for (const bytes of uses) {
    for (const byte of bytes ?? []) sum += Math.sin(byte);
    if (isEnough()) break;
  }
  return sum;
}

/** Of each node's input that is an initializer, the values, read for each node anew. */
function readSharedTensors(file: Buffer): void {
  const fields = fieldsIn(file);
  const childrenOf = ({ children }: ProtoNode): readonly ProtoNode[] => children ?? [];
  const tensors = new Map<string, Uint8Array>();
  for (const { number, children } of fields) {
    // TensorProto in GraphProto.initializer: name 8, raw_data 9.
    const name = children?.find((child) => child.number === 8);
    const data = children?.find((child) => child.number === 9);
    if (number === 5 && name !== undefined && data !== undefined)
      tensors.set(Buffer.from(name.bytes).toString(), data.bytes);
  }
  const nodes = fields.filter(({ number, children }) => number === 1 && children !== null);
  const inputs = nodes.flatMap(childrenOf).filter(({ number, type }) => number === 1 && type === 2);
  readForEach(inputs.map(({ bytes }) => tensors.get(Buffer.from(bytes).toString())));
}

/** Of each described weight the scale, read for each anew. */
function readSharedScales(file: Buffer): void {
  const start = 8 + Number(file.readBigUInt64LE(0));
  try {
    const header = JSON.parse(file.toString('utf8', 8, start)) as Record<
      string,
      { readonly data_offsets: readonly [number, number] } & Record<string, string>
    >;
    const text = header['__metadata__']?.['quantscope.quantization'] ?? '{}';
    const described = JSON.parse(text) as Record<string, { readonly scale: string }>;
    const places = Object.values(described).map(({ scale }) => header[scale]?.data_offsets);
    readForEach(places.map((place) => place && file.subarray(start + place[0], start + place[1])));
  } catch {
    // Not JSON, or of other fields: there is nothing to read.
  }
}

/** A table's strings and vectors of bytes, and those of its tables, for each reference anew. */
function readAnew(bytes: Buffer, table: string, at: number, isEnough: () => boolean): number {
  let sum = 0;
  const target = (place: number): number => place + bytes.readUInt32LE(place);
  const vtable = at - bytes.readInt32LE(at);
  for (const { id, type } of fieldsOf(table)) {
    const entry = 4 + 2 * id;
    const offset = entry < bytes.readUInt16LE(vtable) ? bytes.readUInt16LE(vtable + entry) : 0;
    if (offset === 0 || isEnough()) continue;
    if (type.kind === 'string') {
      const from = target(at + offset);
      for (const byte of bytes.subarray(from + 4, from + 4 + bytes.readUInt32LE(from)))
        sum += Math.sin(byte);
    } else if (type.kind === 'table')
      sum += readAnew(bytes, type.table, target(at + offset), isEnough);
    else if (type.kind === 'tables') {
      const from = target(at + offset);
      for (let index = 0; index < bytes.readUInt32LE(from); index++)
        sum += readAnew(bytes, type.table, target(from + 4 + 4 * index), isEnough);
    }
  }
  return sum;
}

/** A kind of file of one seed, read by a reader with one of the slow spots. */
export function plantedSlow(spot: string): Target {
  const { of, read } = SLOW_SPOTS[spot]!;
  const target = targetOf(of);
  const seeds =
    of === 'safetensors'
      ? target.seeds.filter(({ name }) => name === 'codes')
      : target.seeds.slice(0, 1);
  return {
    ...target,
    name: `slow over ${spot}`,
    seeds,
    exercise: async (file) => read(fs.readFileSync(file)),
  };
}
