/** A model's name without what its format ends it with, and that ending. */
function split(target: string): readonly [stem: string, ending: string] {
  const ending = /(?<=.)(?:\.safetensors\.index\.json|\.[^.]+)$/i.exec(target)?.[0] ?? '';
  return [target.slice(0, target.length - ending.length), ending];
}

/**
 * The name after which the parts of an export are named, when those of the target's own name are
 * taken: model-2.onnx for model.onnx, whose parts are then model-2.onnx.data.
 * @param count 1 is the target's own name
 */
export function partsNamedAfter(target: string, count: number): string {
  const [stem, ending] = split(target);
  return count === 1 ? target : `${stem}-${count}${ending}`;
}

/** Whether a file is named as an export names the parts of that target, with any count. */
export function isPartName(target: string, name: string): boolean {
  const [stem, ending] = split(target);
  if (!name.startsWith(stem)) return false;
  const rest = name.slice(stem.length).replace(/^-[1-9]\d{0,4}(?=[.-])/, '');
  return rest === `${ending}.data` || /^-\d{5}-of-\d{5}\.safetensors$/.test(rest);
}
