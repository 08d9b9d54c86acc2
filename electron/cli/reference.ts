import { flagsOf, usageOf, type CommandDefinition } from './command.ts';

const HEAD = `# Command line

<!-- Written by npm run docs:cli from the definitions of the commands; do not edit it by hand. -->

\`quantscope\` (\`node dist/cli.js\` after \`npm run build\`) runs the engine without the window. Each command has
its own help: \`quantscope export --help\`. \`quantscope --version\` prints the version.

## Commands
`;

const TAIL = `## Exit status

| status | meaning |
|---|---|
| 0 | done |
| 1 | a problem with the input, the file or the disk; \`plan\` also when no mix meets its goal |
| 2 | wrong usage |
| 130 | interrupted with Ctrl+C |

An error is one line on stderr, \`quantscope: CODE: message\`; with \`--json\` it is JSON on stderr.

## JSON

With \`--json\` stdout contains only JSON. Progress goes to stderr, and only when that is a terminal. An exact
result has an infinite SQNR, which JSON cannot name: it is written as \`1e999\`, a number that JavaScript and Python
read as infinity.

## Recipe file

\`--recipe\` takes the name of a preset or a file:

\`\`\`json
{
  "version": 1,
  "name": "mine",
  "default": { "dtype": "int8", "symmetric": true, "granularity": "channel", "range": "minmax" },
  "minElements": 1024,
  "rules": [
    { "match": { "op": "Gather" }, "scheme": { "dtype": "float16" } },
    { "match": { "name": "^head\\\\." }, "scheme": null }
  ]
}
\`\`\`

The last matching rule wins. \`"scheme": null\` keeps the tensor in float. Tensors of fewer than \`minElements\`
elements are kept too, unless a rule names a scheme for them; in mode \`static\` not those of operators that compute on
integers, which take all of their weights as codes. \`"accuracyLevel"\` (0, 1 or 4) is what
\`--accuracy-level\` of \`export\` sets, \`"dropMetadata": true\` what \`--drop-metadata\` does, and \`"prepare": true\` what
\`--prepare\` does.

\`"algorithm": "gptq"\` in a scheme chooses its codes for the outputs of each layer, on the samples of \`--calibrate\`; without
it codes are the nearest ones. With \`"range": "mse"\` the algorithm searches the scales, too. What it cannot solve, or not
better, keeps nearest codes, and the reason says why.

\`"signedScale": true\`, of symmetric int4 and uint4 in blocks with range minmax or mse, also tries the scale for which the value
furthest from 0 has the lowest code, and takes it for the blocks where it leaves the lesser error. Such a scale is negative where that
value is positive; \`int4-block32\` and \`int4-gptq\` have it.

Mode \`static\` quantizes the values between operators as \`"activations"\` says. Where it is left out, that is
\`{ "dtype": "uint8", "symmetric": false, "range": { "percentile": 99.99 }, "biasCorrection": true }\`: biases make up for
what rounded weights add on average. With \`"rangeByOutputs": true\`, as in \`static-int8-best\`, calibration exports the model by each
range method, on up to 64 of its samples. It takes the one that loses least of the outputs where that is less than with \`"range"\` beyond chance:
less in all, and sample by sample by a factor whose mean is 2.5 standard errors from 1; of fewer than eight samples none is. Nearest codes are
taken in place of those of the recipe's algorithm by the same measure. Copies are compared
without graph optimizations, as what integer kernels round differs by processor and is not the ranges'. \`"range"\` stands where nothing was measured for
activations of this dtype and symmetry. \`"operators"\` names types of operators to quantize by onnxruntime's rules.

\`"equalize": true\` evens out the channels of weights in mode \`static\` of ONNX before they are quantized, which schemes with one scale for a
tensor and networks with depthwise layers gain most from: factors move from the weights that take a value to those that make it
(cross-layer equalization), or to the norm before them (SmoothQuant). Factors are powers of two, so that float results stay the same to the bit;
the prepared model and the equalized one are run on two samples, and where they differ the weights stay as they are. Ranges are those of the
equalized model: \`quantscope calibrate\` needs the recipe, and keeps the factors in its file. With \`"equalize": "byOutputs"\`, as in
\`static-int8-best\`, calibration exports the model with and without, each with the codes and ranges that are chosen for it, and weights are
equalized where that loses less of the outputs beyond chance.

## What verify counts

\`runtime\` is what ran the export: \`onnxruntime\`, or \`LiteRT\`, whose WebAssembly build runs on one thread. LiteRT runs
the first signature of a model, with free sizes of inputs as 1, and does not tell its kernels: there \`kernels\` is null.

\`kernels\` is read from the graph that onnxruntime writes after its own optimizations, subgraphs included:

| field | meaning |
|---|---|
| \`integer\` | Nodes that take or make integer codes: integer kernels, and what moves or selects codes between them. |
| \`float\` | Nodes that work on floats; \`floatNodes\` says why, by operator. |
| \`unfused\` | Q/DQ pairs that no integer kernel took over: a DequantizeLinear that restores a weight, or follows a QuantizeLinear. |
| \`total\` | All nodes. Casts, shape arithmetic, control flow and changes of memory layout are counted here only. |

\`weightsOnly\` is there where onnxruntime quantizes inputs on its own: it fuses a weight-only DequantizeLinear and
MatMul into MatMulNBits at accuracy level 4. \`outputs\` is the export as it runs, \`weightsOnly\` the same at level 1,
in float32. Times are medians of at least 15 runs in turns, or of what 2 s allow.

\`--layers\` adds \`layers\`: every operator of the original whose weights or activations the export quantizes, in the
order of execution, with the SQNR of what it gives, over all samples:

| field | meaning |
|---|---|
| \`localSqnrDb\` | Only this layer is quantized: the export's nodes that compute it take the original's values. |
| \`accumulatedSqnrDb\` | The whole export is quantized: the error of this layer and of all before it. |

Both are measured without onnxruntime's graph optimizations, as calibration is: the figures are those of the codes in the
file, and leave out what fusions round on their own. \`layersSkipped\` names what has no figures, such as layers in
bodies of If and Loop, with the reason.

\`--answers\` adds \`answers\`: for each sample and output what both models answer, as what the output is. The kind is guessed
by shape, values, name and the files beside the model; a kind after \`--answers\` sets it for all outputs.

| kind | \`before\`, \`after\` | \`agree\`, the share of |
|---|---|---|
| \`scores\` | the five highest classes: \`index\`, \`label\`, \`score\` | rows with the same first class |
| \`ctc\`, \`tokens\` | text | characters or tokens that are right, by edit distance |
| \`mask\` | classes with their \`share\` of the pixels | pixels with the same class, of those outside class 0 on either side |
| \`boxes\` | corners as fractions of the input, \`score\`, \`label\` | boxes with a partner of their class that overlaps by half |
| \`points\` | places as fractions of the input | points within 2 % of the input |
| \`picture\`, \`wave\`, \`numbers\` | first values, \`min\`, \`max\`, \`mean\` | null |

\`answersTotal\` has each output over all samples: \`agree\`, \`wrong\` of \`of\` units, \`sameSamples\`. \`--labels\` names a file of
labels or the characters of a dictionary: one a line, a JSON list or object, or a configuration with \`id2label\`. For tokens it
is a \`tokenizer.json\`.

## What plan counts as error

\`--by weights\`, the default, adds up the squared errors of the weights. \`--by outputs\` runs the model on samples: each
layer alone is quantized under the coarsest of its schemes, exported and compared with the original. The noise of a layer
in the outputs then stands for that of its weights, and a plan spends its bytes where the outputs lose most. Of models
with more than 64 layers, the error of each layer's own output is an estimate that tells which 64 are measured.
\`--candidates none\` finds the layers to keep in float for so many dB at the outputs, by the fewest bytes.
In mode static a plan is the recipe with rules for the layers that it changes, chosen from schemes that integer kernels
take (int8 per channel and per tensor). A limit of bytes leaves no operator in float that the recipe has on integers;
\`--min-sqnr\` may.
Integer and boolean outputs, such as classes and indices, count only where no float output tells anything.
\`outputSqnrDb\` is what the plan's own export gives on the samples; \`--min-sqnr\` is met by that figure. \`total\` has the
estimate.

## Presets
`;

/** docs/cli.md: every command from its definition, and what holds for all of them. */
export function cliReference(
  commands: readonly CommandDefinition[],
  presets: Readonly<Record<string, string>>,
): string {
  const rows = Object.entries(presets).map(([name, words]): [string, string] => [name, words]);
  return `${HEAD}\n${commands.map(section).join('\n')}\n${TAIL}\n${table(['preset', 'what it does'], rows)}`;
}

function section(definition: CommandDefinition): string {
  const { name, description, arguments: positionals, options, examples } = definition;
  const rows = [
    ...positionals.map((argument): [string, string] => [argument.name, argument.description]),
    ...options.map((option): [string, string] => [
      flagsOf(option),
      `${option.description}${option.required === true ? ' Required.' : ''}`,
    ]),
  ];
  const parts = [
    `### ${name}\n`,
    `${description}\n`,
    `\`\`\`\nquantscope ${usageOf(definition)}\n\`\`\`\n`,
    ...(rows.length > 0 ? [table(['argument or option', 'meaning'], rows)] : []),
    `Examples:\n\n\`\`\`\n${examples.join('\n')}\n\`\`\`\n`,
  ];
  return parts.join('\n');
}

function table(
  head: readonly [string, string],
  rows: readonly (readonly [string, string])[],
): string {
  const lines = rows.map(
    ([name, words]) => `| \`${name.replaceAll('|', '\\|')}\` | ${words.replaceAll('|', '\\|')} |`,
  );
  return `${[`| ${head.join(' | ')} |`, '|---|---|', ...lines].join('\n')}\n`;
}
