import { makeTable, numberOf, withFields, type TableNode } from '../read/nodes.ts';
import { BUILTIN_OPERATORS } from '../read/schema.ts';
import type { Restore } from './stored-form.ts';

/** The operator codes of an export: versions only rise, and what restores weights comes in where there was none. */
export class OperatorCodes {
  private readonly codes: TableNode[];
  /** Each operator and version that the export needs, by name. */
  readonly needed = new Map<string, number>();
  /** The first code of each builtin operator, by its number: every weight asks for one. */
  private readonly first = new Map<number, number>();

  constructor(codes: readonly TableNode[]) {
    this.codes = [...codes];
    for (const [at, code] of codes.entries()) {
      const number = Math.max(
        numberOf(code, 'builtin_code'),
        numberOf(code, 'deprecated_builtin_code'),
      );
      if (!this.first.has(number)) this.first.set(number, at);
    }
  }

  get tables(): readonly TableNode[] {
    return this.codes;
  }

  /** An operator code of at least this version. */
  raise(opcode: number, op: string, version: number): void {
    this.need(op, version);
    const code = this.codes[opcode]!;
    if (numberOf(code, 'version') < version) this.codes[opcode] = withFields(code, { version });
  }

  /** A runtime that has an operator's version, whether the operator is there or not. */
  need(op: string, version: number): void {
    this.needed.set(op, Math.max(version, this.needed.get(op) ?? 0));
  }

  /** The index of an operator code that restores weights, of at least this version. */
  restoring({ op, version }: Restore): number {
    return this.of(op, version);
  }

  /** The index of a builtin operator's code of at least a version. */
  of(op: string, version: number): number {
    const number = BUILTIN_OPERATORS.indexOf(op);
    const opcode = this.first.get(number) ?? this.added(number, version);
    this.raise(opcode, op, version);
    return opcode;
  }

  private added(number: number, version: number): number {
    const fields = { deprecated_builtin_code: number, builtin_code: number, version };
    const opcode = this.codes.push(makeTable('OperatorCode', fields)) - 1;
    this.first.set(number, opcode);
    return opcode;
  }
}
