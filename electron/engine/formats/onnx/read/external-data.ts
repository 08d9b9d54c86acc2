import { AppError } from '../../../../../shared/errors.ts';
import type { FileSource } from '../../../source.ts';
import { endsEarly } from '../../ends-early.ts';
import { SideFiles } from '../../side-files.ts';
import type { ExternalEntry } from './records.ts';

/** Where one external tensor's bytes are. */
export interface ExternalRange {
  readonly file: FileSource;
  readonly offset: number;
  readonly length: number;
}

/** The specification's keys, and `prepacked_0` and on, in which onnxruntime keeps weights as its kernels take them. */
const KEYS = /^(?:location|offset|length|checksum)$|^prepacked/;

/**
 * The side files of one model, opened by the rules of SideFiles (ONNX's own loader has such rules too,
 * after CVE-2022-25882 and CVE-2024-27318).
 */
export class ExternalFiles {
  private readonly model: FileSource;
  private readonly files: SideFiles;

  constructor(model: FileSource) {
    this.model = model;
    this.files = new SideFiles(model, 'a file of external data');
  }

  /**
   * Check external_data entries and find their range.
   * @param bytes what the tensor's shape and dtype need.
   * @throws AppError EXTERNAL_DATA naming the tensor, what was found and what was expected.
   */
  resolve(tensor: string, entries: readonly ExternalEntry[], bytes: number): ExternalRange {
    const values = new Map<string, string>();
    for (const { key, value } of entries) {
      if (!KEYS.test(key))
        throw this.problem(
          tensor,
          'an unknown key in external_data',
          key,
          'location, offset, length or checksum',
        );
      if (values.has(key))
        throw this.problem(tensor, 'a key twice in external_data', key, 'each key once');
      values.set(key, value);
    }
    const file = this.files.open(values.get('location') ?? '', (...words) =>
      this.problem(tensor, ...words),
    );
    const offset = this.integer(tensor, 'offset', values.get('offset') ?? '0');
    // onnxruntime reads a length of 0 as none.
    const length = this.integer(tensor, 'length', values.get('length') ?? '0') || bytes;
    if (length !== bytes)
      throw this.problem(
        tensor,
        'the length of external data is not that of its shape',
        String(length),
        String(bytes),
      );
    if (offset + length > file.size)
      throw this.problem(
        tensor,
        `external data past the end of its file: ${endsEarly(offset + length, file.size, true)}`,
        `offset ${offset} and length ${length}`,
        `within ${file.size} bytes`,
      );
    return { file, offset, length };
  }

  close(): void {
    this.files.close();
  }

  private integer(tensor: string, key: string, text: string): number {
    const value = Number(text);
    if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
      throw this.problem(
        tensor,
        `the ${key} of external data is no whole number`,
        text,
        'decimal digits, below 2^53',
      );
    return value;
  }

  private problem(tensor: string, summary: string, found: string, expected: string): AppError {
    return new AppError('EXTERNAL_DATA', summary, {
      file: this.model.path,
      field: tensor,
      found,
      expected,
    });
  }
}
