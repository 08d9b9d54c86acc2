import { describe, expect, test } from 'vitest';
import type { FeatureFact } from '../../../shared/computer.ts';
import { featureWords } from '../../../shared/computer.ts';
import {
  featuresOfCpuinfo,
  featuresOfModel,
  featuresOfSysctl,
} from '../../../electron/engine/computer/features.ts';

/** bfloat16, float16, dot product, int8 matrix, in a word each. */
function answers(facts: readonly FeatureFact[]): string {
  return facts.map((fact) => featureWords(fact).answer).join(' ');
}

function flags(facts: readonly FeatureFact[]): readonly string[] {
  return facts.flatMap((fact) => (fact.has === true ? fact.flags : []));
}

const cpuinfo = (flags: string, processors = 2): string =>
  Array.from(
    { length: processors },
    (_, at) =>
      `processor\t: ${at}\nmodel name\t: some processor\nflags\t\t: ${flags}\nbugs\t\t: spectre_v1\n`,
  ).join('\n');
const armCpuinfo = (features: string): string =>
  `processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: ${features}\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n`;

const SKYLAKE =
  'fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss ht syscall nx pdpe1gb rdtscp lm constant_tsc pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 x2apic movbe popcnt aes xsave avx f16c rdrand hypervisor lahf_lm abm avx2 smep bmi2 erms invpcid avx512f avx512dq rdseed adx smap avx512cd avx512bw avx512vl';
const GENOA = `${SKYLAKE} avx512_bf16 avx512vbmi avx512_vbmi2 gfni vaes vpclmulqdq avx512_vnni avx512_bitalg avx512_vpopcntdq`;
const SAPPHIRE_RAPIDS = `${GENOA} avx_vnni amx_bf16 avx512_fp16 amx_tile amx_int8 flush_l1d arch_capabilities`;
const PI4 = 'fp asimd evtstrm crc32 cpuid';
const PI5 =
  'fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp';
const GRAVITON3 =
  'fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs paca pacg dcpodp svei8mm svebf16 i8mm bf16 dgh rng';

describe('what /proc/cpuinfo says of bfloat16, float16, dot product and int8 matrix', () => {
  test.each([
    ['a processor with AVX-512 of the first kind', cpuinfo(SKYLAKE), 'no no no no'],
    ['one with VNNI and BF16', cpuinfo(GENOA), 'yes no yes no'],
    ['one with AMX', cpuinfo(SAPPHIRE_RAPIDS), 'yes yes yes yes'],
    ['Armv8.0', armCpuinfo(PI4), 'no no no no'],
    ['Armv8.2 with dot product', armCpuinfo(PI5), 'no yes yes no'],
    ['Armv8.4 with bf16 and i8mm', armCpuinfo(GRAVITON3), 'yes yes yes yes'],
    [
      'an Arm kernel of 32 bits',
      armCpuinfo('half thumb neon vfpv4 asimddp asimdbf16'),
      'yes no yes no',
    ],
    [
      'a processor that lists nothing',
      'processor : 0\ncpu : POWER9\n',
      'unknown unknown unknown unknown',
    ],
  ])('%s', (_, text, expected) => {
    expect(answers(featuresOfCpuinfo(text))).toBe(expected);
  });

  test('the flags that say yes are named, else those that would', () => {
    expect(flags(featuresOfCpuinfo(cpuinfo(SAPPHIRE_RAPIDS)))).toEqual([
      'avx512_bf16',
      'amx_bf16',
      'avx512_fp16',
      'avx512_vnni',
      'avx_vnni',
      'amx_int8',
    ]);
    expect(featuresOfCpuinfo(cpuinfo(SKYLAKE))[3]).toEqual({
      feature: 'int8-matrix',
      has: false,
      flags: ['amx_int8'],
      source: '/proc/cpuinfo',
    });
  });

  test('a flag is there when every processor has it', () => {
    const mixed = armCpuinfo(GRAVITON3) + armCpuinfo(PI5);
    expect(answers(featuresOfCpuinfo(mixed))).toBe('no yes yes no');
  });
});

describe('what sysctl says on macOS', () => {
  const apple = (bf16: number): string =>
    [
      'hw.optional.arm.FEAT_FlagM: 1',
      'hw.optional.arm.FEAT_FHM: 1',
      'hw.optional.arm.FEAT_DotProd: 1',
      `hw.optional.arm.FEAT_BF16: ${bf16}`,
      `hw.optional.arm.FEAT_I8MM: ${bf16}`,
      'hw.optional.arm.FEAT_FP16: 1',
      'hw.optional.floatingpoint: 1',
      'hw.optional.neon: 1',
      'hw.optional.neon_fp16: 1',
      'hw.optional.arm64: 1',
    ].join('\n');
  const intel = (leaf7: string): string =>
    `hw.optional.floatingpoint: 1\nhw.optional.avx2_0: 1\nhw.optional.avx512f: 0\nmachdep.cpu.leaf7_features: ${leaf7}\n`;
  const COFFEE_LAKE =
    'RDWRFSGS TSC_THREAD_OFFSET SGX BMI1 AVX2 SMEP BMI2 ERMS INVPCID FPU_CSDS MPX RDSEED ADX SMAP CLFSOPT IPT';

  test.each([
    ['an M1', apple(0), 'no yes yes no'],
    ['an M2', apple(1), 'yes yes yes yes'],
    [
      'an M1 before macOS 12',
      'hw.optional.neon: 1\nhw.optional.neon_hpfp: 1\nhw.optional.neon_fp16: 1\nhw.optional.arm64: 1\n',
      'unknown yes unknown unknown',
    ],
    ['an Intel processor without VNNI', intel(COFFEE_LAKE), 'unknown unknown no unknown'],
    ['one with it', intel(`${COFFEE_LAKE} AVX512F AVX512VNNI`), 'unknown unknown yes unknown'],
    ['nothing', '', 'unknown unknown unknown unknown'],
  ])('%s', (_, text, expected) => {
    expect(answers(featuresOfSysctl(text))).toBe(expected);
  });
});

test.each([
  ['Snapdragon(R) X Elite - X1E80100 - Qualcomm(R) Oryon(TM) CPU', 'yes yes yes yes'],
  ['AMD EPYC 9654 96-Core Processor', 'yes no yes no'],
  ['Intel(R) Xeon(R) Platinum 8480+', 'yes yes yes yes'],
  ['AMD EPYC 7763 64-Core Processor', 'unknown unknown unknown unknown'],
  ['Intel(R) Core(TM) i7-8750H CPU @ 2.20GHz', 'unknown unknown unknown unknown'],
  ['', 'unknown unknown unknown unknown'],
])('the name %s says %s', (name, expected) => {
  expect(answers(featuresOfModel(name))).toBe(expected);
});
