import * as path from 'node:path';
import { app } from 'electron';

/** Files that the system hands the app: by argument, by macOS's open-file event, by a second instance. */
export class OpenFiles {
  private waiting: string[] = [];
  private deliver: ((file: string) => void) | null = null;
  private initial: string | null;

  constructor() {
    this.initial = fileArgument(process.argv, process.cwd());
    // Comes before ready when the app is started by a double click on macOS.
    app.on('open-file', (event, file) => {
      event.preventDefault();
      this.open(file);
    });
  }

  /** The file of this start's command line, once. */
  takeInitial(): string | null {
    const file = this.initial ?? this.waiting.shift() ?? null;
    this.initial = null;
    return file;
  }

  open(file: string): void {
    if (this.deliver === null) this.waiting.push(file);
    else this.deliver(file);
  }

  deliverTo(deliver: (file: string) => void): void {
    this.deliver = deliver;
  }
}

/**
 * The file among arguments: what is no switch, behind the binary and, in an unpackaged app, behind
 * the app's folder, which Electron leaves there.
 */
export function fileArgument(argv: readonly string[], folder: string): string | null {
  const candidates = argv.slice(1).filter((argument) => !argument.startsWith('-'));
  const file = candidates.find(
    (argument) => path.resolve(folder, argument) !== path.resolve(app.getAppPath()),
  );
  return file === undefined ? null : path.resolve(folder, file);
}
