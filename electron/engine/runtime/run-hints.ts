import { AppError } from '../../../shared/errors.ts';
import type { OpenedModel } from '../formats/format.ts';
import { formatName } from '../formats/registry.ts';
import type { RunHints } from './inputs.ts';

/** What runs a model and how. @throws AppError UNSUPPORTED for a format that no runtime runs */
export function runHintsOf({ runHints, model }: OpenedModel): RunHints {
  if (runHints !== null) return runHints;
  const name = formatName(model.format);
  throw new AppError('UNSUPPORTED', `is ${name}, which no runtime here can run`, {
    file: model.files[0]?.path,
    field: 'format',
    found: name,
    expected: 'ONNX or LiteRT',
  });
}
