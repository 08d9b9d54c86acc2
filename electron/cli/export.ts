import { EXPORT_MODES } from '../../shared/protocol.ts';
import { megabytes, toJson } from './output.ts';
import { loadRecipe, readArguments, required, UsageError } from './usage.ts';
import { withSession } from './with-session.ts';

/** quantscope export MODEL --recipe R --out FILE [--mode qdq|dynamic|float|float16|nbits|cast] [--json] */
export async function exportModel(args: string[]): Promise<void> {
  const { model, values } = readArguments(args, {
    recipe: { type: 'string' },
    out: { type: 'string' },
    mode: { type: 'string' },
    json: { type: 'boolean' },
  });
  const recipe = loadRecipe(required(values, 'recipe'));
  const out = required(values, 'out');
  const asked = EXPORT_MODES.find((known) => known === values['mode']);
  if (asked === undefined && values['mode'] !== undefined)
    throw new UsageError(`--mode is one of ${EXPORT_MODES.join(', ')}`);
  await withSession(model, async ({ session, signal, onProgress }) => {
    const mode = asked ?? session.opened.modes[0]!;
    const result = await session.export(recipe, mode, out, { signal, onProgress });
    if (values['json'] === true) console.log(toJson(result));
    else
      console.log(
        `${result.out}: ${megabytes(result.bytesBefore)} -> ${megabytes(result.bytesAfter)}, ` +
          `${result.quantized} quantized, ${result.kept} kept, ${result.seconds.toFixed(2)} s`,
      );
  });
}
