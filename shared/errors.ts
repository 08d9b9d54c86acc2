/** Every code a person or a script can meet. A code never changes its meaning. */
export type ErrorCode =
  | 'BAD_USAGE' // the command line or a message was malformed
  | 'BAD_RECIPE' // a recipe that is not one
  | 'NOT_A_FILE' // missing, a directory, a pipe, a device
  | 'EMPTY_FILE'
  | 'UNKNOWN_FORMAT' // no adapter recognises the bytes
  | 'MALFORMED' // the bytes break a rule of their format
  | 'LIMIT' // well-formed, but past a named limit of ours
  | 'UNSUPPORTED' // well-formed, and we do not do it
  | 'EXTERNAL_DATA' // a side file is missing, escapes its folder, or has the wrong size
  | 'CHANGED' // the file is not the one that was opened
  | 'NON_FINITE' // NaN or infinity where an integer scheme needs a number
  | 'TARGET' // the place to write to cannot be used
  | 'IO' // the operating system refused
  | 'CANCELLED'
  | 'WORKER_DIED'
  | 'RUNTIME' // onnxruntime or LiteRT refused or crashed
  | 'INTERNAL';

/** Where an error is and what it is about; every field a reader knows is filled in. */
export interface ErrorDetails {
  readonly file?: string | undefined;
  /** The field, tensor or argument by the name its format gives it. */
  readonly field?: string | undefined;
  /** Byte offset in the file. */
  readonly offset?: number | undefined;
  readonly found?: string | undefined;
  readonly expected?: string | undefined;
}

/** The plain-data form of an AppError, which survives message channels. */
export interface ErrorData extends ErrorDetails {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * The one error type of the product. Its message is a single sentence that names
 * the file, the field, what was found and what was expected.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, summary: string, details: ErrorDetails = {}, cause?: unknown) {
    super(sentence(summary, details), cause === undefined ? undefined : { cause });
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }

  toData(): ErrorData {
    return { code: this.code, message: this.message, ...this.details };
  }

  static fromData(data: ErrorData): AppError {
    const { code, message, ...details } = data;
    const error = new AppError(code, '', details);
    error.message = message;
    return error;
  }
}

const REASONS: Partial<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'a file that another program uses',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'a file larger than the system allows',
  EIO: 'a read or write error of the disk',
  EISDIR: 'a directory',
  ELOOP: 'a loop of symbolic links',
  EMFILE: 'too many open files in this process',
  ENAMETOOLONG: 'a name that is too long',
  ENFILE: 'too many open files on this computer',
  ENOENT: 'no such file',
  ENOSPC: 'no space left on the disk',
  ENOTDIR: 'not a folder on the way',
  ENXIO: 'a device that is not there',
  EPERM: 'not permitted',
  EROFS: 'a read-only file system',
  ETXTBSY: 'a program that is running',
  EXDEV: 'two different disks',
};

/** Why the operating system refused, in words where there are some for it. */
export function reasonOf(error: unknown): string {
  const code = (error as { readonly code?: string }).code ?? String(error);
  return REASONS[code] ?? code;
}

/** An operating system error as an AppError, its reason in `found`. An AppError stays as it is. */
export function ioError(summary: string, file: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  const isMissing = (error as { readonly code?: string }).code === 'ENOENT';
  const details = { file, found: reasonOf(error) };
  return new AppError(isMissing ? 'NOT_A_FILE' : 'IO', summary, details, error);
}

/**
 * Any thrown value as plain data, without its stack. What the operating system refused is IO, whoever
 * forgot to say so; anything else that is not an AppError is INTERNAL.
 */
export function toErrorData(error: unknown, file?: string): ErrorData {
  if (error instanceof AppError) return error.toData();
  if (isSystemError(error)) {
    const found = reasonOf(error);
    return new AppError('IO', `the system refused ${error.syscall}`, {
      file: error.path ?? file,
      found,
    }).toData();
  }
  const message = error instanceof Error ? error.message : String(error);
  return new AppError('INTERNAL', message, { file }).toData();
}

/** Node's errors of system calls carry the call and, mostly, the path. */
function isSystemError(
  error: unknown,
): error is Error & { readonly syscall: string; readonly path?: string } {
  const { code, syscall } = (error ?? {}) as {
    readonly code?: unknown;
    readonly syscall?: unknown;
  };
  return typeof code === 'string' && typeof syscall === 'string' && /^E[A-Z0-9]+$/.test(code);
}

function sentence(summary: string, details: ErrorDetails): string {
  // A summary may hold a name too.
  return escaped(placeOf(details) + summary + factsOf(details));
}

function placeOf({ file, field, offset }: ErrorDetails): string {
  const place = [
    file === undefined ? undefined : printable(file),
    field === undefined ? undefined : printable(field),
    offset === undefined ? undefined : `at byte ${offset}`,
  ].filter((part) => part !== undefined);
  return place.length === 0 ? '' : `${place.join(', ')}: `;
}

function factsOf({ found, expected }: ErrorDetails): string {
  const facts = [
    found === undefined ? undefined : `found ${printable(found)}`,
    expected === undefined ? undefined : `expected ${printable(expected)}`,
  ].filter((part) => part !== undefined);
  return facts.length === 0 ? '' : ` (${facts.join(', ')})`;
}

/** How the summary of a file that was cut off begins, or goes on where it begins with the structure that shows it. */
export const ENDS_EARLY = 'the file ends early';

/**
 * An error in the words of who opened the file: its name without folders, what is wrong, what to do. Byte offsets and
 * the fields of a format's structure are left to the whole message.
 */
export function briefMessage({ code, message, ...details }: ErrorData): string {
  const [place, facts] = [escaped(placeOf(details)), escaped(factsOf(details))];
  if (details.file === undefined || !message.startsWith(place) || !message.endsWith(facts))
    return message;
  const summary = message.slice(place.length, message.length - facts.length);
  const file = details.file.split(/[/\\]/).at(-1) ?? details.file;
  const cut = summary.indexOf(ENDS_EARLY);
  if (cut >= 0) return sentence(summary.slice(cut), { file });
  if (details.offset === undefined) return sentence(summary, { ...details, file });
  if (code === 'MALFORMED')
    return sentence(
      'the file is damaged, or a tool wrote it wrongly; copy, download or export it again',
      { file },
    );
  return sentence(summary, { ...details, file, offset: undefined });
}

const PRINTED_LENGTH = 200;

/**
 * Text from a file made fit for one line of a terminal or a message: cut in the middle when over 200
 * characters, and escaped.
 */
export function printable(text: string): string {
  return escaped(
    text.length <= PRINTED_LENGTH
      ? text
      : `${text.slice(0, PRINTED_LENGTH / 2)}…${text.slice(-PRINTED_LENGTH / 2)}`,
  );
}

/**
 * Text with control characters (C0, DEL and C1, which start a terminal's commands), characters that change
 * the direction of text, line separators and lone surrogates as \uXXXX. Escaped text stays as it is.
 */
export function escaped(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
