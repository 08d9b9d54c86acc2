import * as path from 'node:path';
import { root } from './root.ts';

const folder = path.join(root, 'node_modules/@mediapipe');

/** The real LiteRT files that everything is tried on. */
export const LITERT_MODELS = {
  faceShort: path.join(folder, 'face_detection/face_detection_short_range.tflite'),
  faceFull: path.join(folder, 'face_detection/face_detection_full_range.tflite'),
  faceSparse: path.join(folder, 'face_detection/face_detection_full_range_sparse.tflite'),
  selfie: path.join(folder, 'selfie_segmentation/selfie_segmentation.tflite'),
  selfieLandscape: path.join(folder, 'selfie_segmentation/selfie_segmentation_landscape.tflite'),
} as const;
