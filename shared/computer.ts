/** What a processor may have for the number formats that networks are quantized to. */
export const COMPUTER_FEATURES = ['bfloat16', 'float16', 'dot-product', 'int8-matrix'] as const;
export type ComputerFeature = (typeof COMPUTER_FEATURES)[number];

export interface FeatureFact {
  readonly feature: ComputerFeature;
  /** null where this system does not say. */
  readonly has: boolean | null;
  /** The flags that say yes; where there are none, the flags that would. */
  readonly flags: readonly string[];
  /** Where it was found out: a file, a command or the processor's name; null where nothing says. */
  readonly source: string | null;
}

/** The computer that the engine runs on. */
export interface Computer {
  /** Node's names: linux, darwin, win32 ... */
  readonly platform: string;
  /** Node's names: x64, arm64 ... */
  readonly architecture: string;
  /** Empty where the system does not tell. */
  readonly processor: string;
  /** Logical cores. */
  readonly cores: number;
  readonly memoryBytes: number;
  readonly features: readonly FeatureFact[];
}

interface Words {
  readonly title: string;
  readonly yes: string;
  readonly no: string;
}

const WORDS: Readonly<Record<ComputerFeature, Words>> = {
  bfloat16: {
    title: 'bfloat16 arithmetic',
    yes: 'Products of bfloat16 pairs are summed in float32 by one instruction: it can save time as well as memory.',
    no: 'bfloat16 is widened to float32 before anything is computed: it saves memory, not time.',
  },
  float16: {
    title: 'float16 arithmetic',
    yes: 'float16 values are multiplied and added as they are, twice as many at once as float32.',
    no: 'float16 is converted to float32 and back around every operation: it saves memory, not time.',
  },
  'dot-product': {
    title: 'int8 dot product',
    yes: 'Four int8 products are summed into an int32 by one instruction: int8 models gain most from it.',
    no: 'int8 products are widened and added step by step: int8 models are smaller, and little faster.',
  },
  'int8-matrix': {
    title: 'int8 matrix product',
    yes: 'Whole blocks of int8 matrices are multiplied by one instruction.',
    no: 'int8 matrix products are made of dot products, or of single products where there are none.',
  },
};

const UNKNOWN = 'This system does not say.';

/** What a feature is called, and what it means that it is there, or is not. */
export function featureWords({ feature, has }: FeatureFact): {
  readonly title: string;
  readonly answer: 'yes' | 'no' | 'unknown';
  readonly meaning: string;
} {
  const { title, yes, no } = WORDS[feature];
  if (has === null) return { title, answer: 'unknown', meaning: UNKNOWN };
  return has ? { title, answer: 'yes', meaning: yes } : { title, answer: 'no', meaning: no };
}
