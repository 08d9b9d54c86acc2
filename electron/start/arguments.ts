/** The switch by which `quantscope`, the script beside the packaged app, asks the app for the command line. */
const SWITCH = '--command-line';

/**
 * The arguments of a command when the app was started for one; null when it was started for its window.
 * They come behind `--`: what stands before belongs to Chromium, which also reads no switch behind it.
 */
export function commandLineArguments(argv: readonly string[]): readonly string[] | null {
  const end = argv.indexOf('--');
  return end >= 0 && argv.slice(0, end).includes(SWITCH) ? argv.slice(end + 1) : null;
}
