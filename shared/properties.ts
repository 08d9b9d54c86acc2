import type { Opset } from './model.ts';

/** The first entries of a list, and how many it has. */
export interface Listed<T> {
  readonly shown: readonly T[];
  readonly count: number;
}

/** An input or output as the file declares it. */
export interface ValueProperties {
  readonly name: string;
  /** The type of a tensor's elements, or what it is instead: "sequence". '' where none is declared. */
  readonly type: string;
  /** Sizes, and the names of free ones ('' for one without a name); null where no shape is declared. */
  readonly shape: readonly (number | string)[] | null;
}

/** A function of the model that others call by its name. */
export interface SignatureProperties {
  readonly name: string;
  readonly inputs: Listed<ValueProperties>;
  readonly outputs: Listed<ValueProperties>;
}

/** A name with a text: the beginning of a longer one. */
export interface TextProperty {
  readonly name: string;
  readonly text: string;
}

/** What a model's file says of the model as a whole. */
export interface ModelProperties {
  /** Version of the format, producer and description, where the file has them. */
  readonly facts: readonly TextProperty[];
  readonly opsets: readonly Opset[];
  readonly inputs: Listed<ValueProperties>;
  readonly outputs: Listed<ValueProperties>;
  readonly signatures: Listed<SignatureProperties>;
  readonly metadata: Listed<TextProperty>;
}

const NONE = { shown: [], count: 0 };

/** Of a file that says nothing of the model as a whole. */
export const NO_PROPERTIES: ModelProperties = {
  facts: [],
  opsets: [],
  inputs: NONE,
  outputs: NONE,
  signatures: NONE,
  metadata: NONE,
};

/** A list as the properties have it. Models of real use have fewer entries; a file may have millions. */
export const MOST_LISTED = 500;

/** Characters of a text that are shown. */
export const MOST_TEXT = 2000;

/** The first entries of a list, each made only when it is shown. */
export function listed<T, U>(entries: readonly T[], make: (entry: T) => U): Listed<U> {
  return { shown: entries.slice(0, MOST_LISTED).map(make), count: entries.length };
}

/** A text's beginning, marked where more follows. */
export function shownText(text: string): string {
  return text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT)}…`;
}

/** The facts that a file has, without those that it leaves empty. */
export function factsOf(facts: Readonly<Record<string, string>>): TextProperty[] {
  return Object.entries(facts).flatMap(([name, text]) => (text === '' ? [] : [{ name, text }]));
}
