/** Files that are often met under a model's name, by how they begin, and what to do with them. */
const LOOKALIKES: readonly { readonly what: string; readonly begins: RegExp }[] = [
  {
    what: 'a Git LFS pointer; fetch the real file with git lfs pull',
    begins: /^version https:\/\/git-lfs/,
  },
  {
    what: 'an OpenVINO model; export the original model to ONNX, as OpenVINO does not convert back',
    begins: /^\s*(?:<\?xml[^>]*>\s*)?<net\s[^>]*version=/,
  },
  { what: 'a web page; download the file itself', begins: /^\s*(?:<!doctype html|<html|<\?xml)/i },
  {
    what: 'a model in ORT format; open the .onnx file that it was converted from',
    begins: /^[^]{4}ORTM/,
  },
  {
    what: 'a Core ML package or archive; export the original model to ONNX',
    begins: /^PK\u0003\u0004[^]{26}[^]{0,200}?\.mlmodel/,
  },
  {
    what: 'a Keras archive; convert it with tf2onnx or tf.lite.TFLiteConverter',
    begins: /^PK\u0003\u0004[^]{26}(?:metadata\.json|config\.json|model\.weights\.h5)/,
  },
  {
    what: 'a PyTorch program or checkpoint; export it with torch.onnx.export, or save its weights as safetensors',
    begins: /^PK\u0003\u0004[^]{26}[^]{0,200}?(?:data\.pkl|archive_format|\.data\/)/,
  },
  {
    what: 'a zip archive (PyTorch checkpoints are such); unpack it, or save the weights as safetensors',
    begins: /^PK\u0003\u0004/,
  },
  { what: 'a GGUF file; open the safetensors checkpoint it was made from', begins: /^GGUF/ },
  { what: 'a gzip archive; unpack it with gunzip', begins: /^\u001f\u008b/ },
  { what: 'a tar archive; unpack it with tar -xf', begins: /^[^]{257}ustar/ },
  {
    what: 'a pickle (PyTorch checkpoints are such); save the weights as safetensors',
    begins: /^\u0080[\u0002-\u0005]/,
  },
  {
    what: 'an HDF5 file (Keras weights are such); convert it with tf2onnx or tf.lite.TFLiteConverter',
    begins: /^\u0089HDF/,
  },
  {
    what: 'a TensorRT engine; open the ONNX model that it was built from',
    begins: /^(?:ftrt|ptrt)/,
  },
  { what: 'an ncnn model; open the ONNX model that it was converted from', begins: /^7767517\s/ },
  {
    what: 'an ONNX model as text; convert it with onnx.parser or onnx.load(format="textproto")',
    begins: /^\s*(?:ir_version\s*:|producer_name\s*:|graph\s*\{|<\s*ir_version\s*:)/,
  },
  {
    what: 'an ONNX model as JSON; convert it with onnx.load(format="json")',
    begins: /^\s*\{[^]*"(?:irVersion|ir_version|opsetImport|opset_import)"/,
  },
  {
    what: 'a TensorFlow SavedModel; convert it with tf2onnx or tf.lite.TFLiteConverter',
    // SavedModel.saved_model_schema_version 1, then a MetaGraphDef.
    begins: /^\u0008\u0001\u0012[\u0080-\u00ff]{1,5}[\u0001-\u007f]?\u000a/,
  },
  {
    what: 'a TensorFlow GraphDef; convert it with tf2onnx',
    // GraphDef.node, whose first field is a name and whose second is an op.
    begins: /^\u000a[^]{1,3}\u000a[^][\w./:-]{1,60}\u0012[^][A-Z]\w{2,40}/,
  },
  {
    what: 'a Core ML model; export the original model to ONNX',
    // Model.specificationVersion 1 to 9, then a ModelDescription.
    begins: /^\u0008[\u0001-\u0009]\u0012[^]{1,3}\u000a[^]{1,3}\u000a/,
  },
  { what: 'JSON that is not the index of a sharded model', begins: /^\s*[[{]\s*(?:["{}[\]]|\d)/ },
  {
    what: 'a text file; choose the model file itself',
    // UTF-8 without control characters; the head may end within a character.
    begins:
      /^(?:[\t\n\f\r -~]|[\u00c2-\u00df][\u0080-\u00bf]|[\u00e0-\u00ef][\u0080-\u00bf]{2}|[\u00f0-\u00f4][\u0080-\u00bf]{3}){4,}(?:[\u00c2-\u00f4][\u0080-\u00bf]{0,2})?$/,
  },
];

/** What a file is in place of a model, by its first bytes. */
export function lookalikeOf(head: Uint8Array): string | undefined {
  const text = Buffer.from(head).toString('latin1');
  return LOOKALIKES.find(({ begins }) => begins.test(text))?.what;
}
