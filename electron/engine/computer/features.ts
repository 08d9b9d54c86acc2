import {
  COMPUTER_FEATURES,
  type ComputerFeature,
  type FeatureFact,
} from '../../../shared/computer.ts';

/** Flags of a feature, any of which says that it is there. */
type Flags = Readonly<Record<ComputerFeature, readonly string[]>>;

/**
 * Linux on x86 (arch/x86/include/asm/cpufeatures.h). f16c is not among them: it converts float16 and
 * computes nothing in it.
 */
const X86: Flags = {
  bfloat16: ['avx512_bf16', 'amx_bf16'],
  float16: ['avx512_fp16', 'amx_fp16'],
  'dot-product': ['avx512_vnni', 'avx_vnni', 'avx_vnni_int8'],
  'int8-matrix': ['amx_int8'],
};

/** Linux on Arm (Documentation/arch/arm64/elf_hwcaps.rst; the 32-bit kernel says asimdbf16). */
const ARM: Flags = {
  bfloat16: ['bf16', 'asimdbf16', 'svebf16'],
  float16: ['asimdhp', 'fphp'],
  'dot-product': ['asimddp'],
  'int8-matrix': ['i8mm', 'svei8mm'],
};

/** macOS on Apple silicon: what hw.optional says with a 1. Before macOS 12 float16 had another name. */
const APPLE: Flags = {
  bfloat16: ['hw.optional.arm.FEAT_BF16'],
  float16: ['hw.optional.arm.FEAT_FP16', 'hw.optional.neon_fp16'],
  'dot-product': ['hw.optional.arm.FEAT_DotProd'],
  'int8-matrix': ['hw.optional.arm.FEAT_I8MM'],
};

/** macOS on Intel names what CPUID's leaf 7 has; of these features only the dot product is in that part of it. */
const LEAF7 = 'machdep.cpu.leaf7_features';
const LEAF7_DOT_PRODUCT = 'AVX512VNNI';

function unknown(feature: ComputerFeature): FeatureFact {
  return { feature, has: null, flags: [], source: null };
}

/** Every feature as not known: where the system does not say. */
export function unknownFeatures(): FeatureFact[] {
  return COMPUTER_FEATURES.map(unknown);
}

/**
 * The features by /proc/cpuinfo: the flags that all processors have, as the slowest decides where
 * there are several kinds.
 */
export function featuresOfCpuinfo(text: string): FeatureFact[] {
  const lines = [...text.matchAll(/^(flags|Features)\s*:(.*)$/gm)];
  const [first, ...others] = lines.map(([, , flags]) => new Set(flags!.trim().split(/\s+/)));
  if (first === undefined) return unknownFeatures();
  const flags = others.reduce(
    (common, each) => new Set([...common].filter((flag) => each.has(flag))),
    first,
  );
  const names = lines[0]![1] === 'flags' ? X86 : ARM;
  return COMPUTER_FEATURES.map((feature) =>
    factOf(feature, names[feature], (flag) => flags.has(flag), '/proc/cpuinfo'),
  );
}

function factOf(
  feature: ComputerFeature,
  names: readonly string[],
  isSet: (flag: string) => boolean,
  source: string,
): FeatureFact {
  const found = names.filter(isSet);
  const has = found.length > 0;
  return { feature, has, flags: has ? found : names, source };
}

/** The features by what `sysctl hw.optional machdep.cpu.leaf7_features` prints on macOS. */
export function featuresOfSysctl(text: string): FeatureFact[] {
  const values = new Map(
    [...text.matchAll(/^([\w.]+)\s*[:=]\s*(.*)$/gm)].map(([, name, value]) => [
      name!,
      value!.trim(),
    ]),
  );
  const leaf7 = values.get(LEAF7)?.split(/\s+/);
  return COMPUTER_FEATURES.map((feature) => {
    if (leaf7 !== undefined)
      return feature === 'dot-product'
        ? factOf(feature, [LEAF7_DOT_PRODUCT], (flag) => leaf7.includes(flag), `sysctl ${LEAF7}`)
        : unknown(feature);
    // An older system does not list what it does not know of, so that nothing is said of it.
    const known = APPLE[feature].filter((name) => values.has(name));
    if (known.length === 0) return unknown(feature);
    return factOf(feature, known, (name) => values.get(name) === '1', 'sysctl hw.optional');
  });
}

/**
 * Processors whose name says what they have, where the system says nothing (Windows): those whose
 * maker states the instruction set for the whole of the series.
 */
const MODELS: readonly { readonly name: RegExp; readonly has: readonly ComputerFeature[] }[] = [
  // Oryon cores: Armv8.7.
  { name: /Snapdragon(?:\(R\)|®)? X /, has: COMPUTER_FEATURES },
  // Zen 4 and Zen 5 servers: AVX512_BF16 and AVX512_VNNI, neither AVX512_FP16 nor AMX.
  { name: /\bEPYC 9\d\d[45]/, has: ['bfloat16', 'dot-product'] },
  // Intel's fourth and fifth generation: AVX512_BF16, AVX512_FP16, AVX512_VNNI and AMX.
  {
    name: /\bXeon\(R\) (?:Platinum 8|Gold 6|Gold 5|Silver 4|Bronze 3)[45]\d\d/,
    has: COMPUTER_FEATURES,
  },
];

/** The features by the name of the processor. */
export function featuresOfModel(processor: string): FeatureFact[] {
  const model = MODELS.find(({ name }) => name.test(processor));
  if (model === undefined) return unknownFeatures();
  return COMPUTER_FEATURES.map((feature) => ({
    feature,
    has: model.has.includes(feature),
    flags: [],
    source: "the processor's name",
  }));
}
