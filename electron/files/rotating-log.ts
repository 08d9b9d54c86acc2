import * as fs from 'node:fs';
import * as path from 'node:path';

/** Characters of one line: a longer message is cut, so that one cannot fill the file. */
const MOST_LINE = 2000;

/** A log of lines in a file, and in a second one what went before. */
export class RotatingLog {
  private readonly file: string;
  private readonly older: string;
  private readonly mostBytes: number;

  /** @param mostBytes of each of the two files */
  constructor(folder: string, name: string, mostBytes = 1 << 20) {
    this.file = path.join(folder, `${name}.log`);
    this.older = path.join(folder, `${name}.old.log`);
    this.mostBytes = mostBytes;
  }

  /** Add a line with the time. A log that cannot be written is no reason to stop. */
  write(text: string): void {
    const shown = text.replace(/[\r\n]+/g, ' ').slice(0, MOST_LINE);
    const line = `${new Date().toISOString()} ${shown}\n`;
    try {
      if (this.size() + Buffer.byteLength(line) > this.mostBytes)
        fs.renameSync(this.file, this.older);
      fs.appendFileSync(this.file, line);
    } catch {
      // A full or read-only disk.
    }
  }

  /** The last lines, oldest first. */
  last(count: number): readonly string[] {
    const lines = [this.older, this.file].flatMap((file) => this.read(file).split('\n'));
    return lines.filter((line) => line !== '').slice(-count);
  }

  private size(): number {
    return fs.statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
  }

  private read(file: string): string {
    try {
      return fs.readFileSync(file, 'utf8');
    } catch {
      return '';
    }
  }
}
