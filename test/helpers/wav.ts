export interface Sound {
  readonly bits?: number;
  readonly format?: number;
  readonly rate?: number;
  readonly channels?: number;
}

/** A .wav whose samples are bytes already. */
export function wavFile(
  data: Uint8Array,
  { bits = 16, format = 1, rate = 16_000, channels = 1 }: Sound = {},
) {
  const head = Buffer.alloc(54);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(46 + data.length, 4);
  // A chunk of odd length before the format: it is padded.
  head.write('WAVELIST', 8, 'latin1');
  head.writeUInt32LE(1, 16);
  head.write('fmt ', 22, 'latin1');
  head.writeUInt32LE(16, 26);
  head.writeUInt16LE(format, 30);
  head.writeUInt16LE(channels, 32);
  head.writeUInt32LE(rate, 34);
  head.writeUInt32LE((rate * channels * bits) / 8, 38);
  head.writeUInt16LE((channels * bits) / 8, 42);
  head.writeUInt16LE(bits, 44);
  head.write('data', 46, 'latin1');
  head.writeUInt32LE(data.length, 50);
  return Buffer.concat([head, data]);
}
