import { AppError } from '../../../../../shared/errors.ts';
import { float16Bits } from '../../../../../shared/float16.ts';
import { described, type InputFacts } from '../../../runtime/dimensions.ts';
import {
  isControl,
  stateInputs,
  type ArrayData,
  type ArrayValue,
  type ModelFacts,
} from '../../../runtime/inputs.ts';
import type { SampleGroup } from '../sample-group.ts';
import { readAtRate, samplesAt } from './resample-audio.ts';
import { readWavFacts } from './wav.ts';

export const SOUND_EXTENSIONS = ['.wav'];

/** What speech models are trained at, in Hz. */
const DEFAULT_RATE = 16_000;
/** A step of a model with state whose length is free, in seconds: 512 samples at 16 kHz, as Silero's. */
const STEP_SECONDS = 0.032;
/** The longest sample of a model whose length is free, in seconds, as Whisper's. */
const MAX_SECONDS = 30;

const SOUND_TYPES = ['float32', 'float64', 'float16', 'int16'];

/** How sound becomes an input's values. */
export interface SoundInput {
  readonly input: InputFacts;
  /** In Hz; files of other rates are resampled. */
  readonly rate: number;
  /** Samples in one run; null for a whole file of at most 30 s. */
  readonly window: number | null;
}

/** The input that waveforms are for. @throws AppError BAD_USAGE when no input takes them or several do. */
export function soundInput(file: string, model: ModelFacts): SoundInput {
  const states = stateInputs(model);
  const fitting = model.inputs.filter(
    (input) => !states.has(input.name) && !isControl(input) && takesSound(input),
  );
  const [input] = fitting;
  if (input === undefined || fitting.length > 1)
    throw new AppError(
      'BAD_USAGE',
      input === undefined
        ? 'the model has no input for sound'
        : 'several inputs of the model take sound',
      {
        file,
        field: 'inputs',
        found: (input === undefined ? model.inputs : fitting).map(described).join(', '),
        expected:
          'one input of float32, float16 or int16 with the shape batch x samples; give .npz files with an array for each input instead',
      },
    );
  const length = input.shape.at(-1);
  const free = states.size > 0 ? DEFAULT_RATE * STEP_SECONDS : null;
  return { input, rate: DEFAULT_RATE, window: typeof length === 'number' ? length : free };
}

/** samples, batch x samples, or batch x 1 x samples. */
function takesSound({ type, shape }: InputFacts): boolean {
  const { length } = shape;
  const isMono = length < 3 || shape[1] === 1 || typeof shape[1] === 'string';
  return SOUND_TYPES.includes(type) && length >= 1 && length <= 3 && isMono;
}

/** The windows of each file: a sequence for a model with state. A part at the end that is too short is left out. */
export function soundGroups(files: readonly string[], wanted: SoundInput): SampleGroup[] {
  return files.map((file): SampleGroup => {
    const wav = readWavFacts(file);
    const all = samplesAt(wav, wanted.rate);
    const window = wanted.window ?? Math.min(all, wanted.rate * MAX_SECONDS);
    const steps = Math.max(1, Math.floor(all / window));
    const read = (step: number) => {
      const samples = readAtRate(wav, wanted.rate, step * window, window);
      return Object.fromEntries([[wanted.input.name, soundValues(samples, wanted.input)]]);
    };
    return { kind: 'audio', files: [file], place: file, steps, read };
  });
}

/** The same samples for each item of the batch. */
function soundValues(samples: Float64Array, { type, shape }: InputFacts): ArrayValue {
  const batch = shape.length > 1 && typeof shape[0] === 'number' ? shape[0] : 1;
  const { length } = samples;
  const dims = [[length], [batch, length], [batch, 1, length]][shape.length - 1]!;
  const data = new Float64Array(batch * length);
  for (let item = 0; item < batch; item++) data.set(samples, item * length);
  return { type, dims, data: ofType(data, type) };
}

function ofType(data: Float64Array, type: string): ArrayData {
  if (type === 'float64') return data;
  if (type === 'float32') return Float32Array.from(data);
  if (type === 'float16') return Uint16Array.from(data, float16Bits);
  return Int16Array.from(data, (value) =>
    Math.min(32_767, Math.max(-32_768, Math.round(value * 32_768))),
  );
}
