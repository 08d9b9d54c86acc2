import { readFileSync } from 'node:fs';
import path from 'node:path';
import svelte from 'eslint-plugin-svelte';
import ts from 'typescript';
import { parser } from 'typescript-eslint';
import { root } from './paths.mjs';

// svelte-eslint-parser derives a script from each component. typescript-eslint's own programs hold the component's text
// instead, and are made again for each component that is linted. One program holds all the scripts here.
const CONFIG = path.join(root, 'renderer/tsconfig.json');
const { parseForESLint } = svelte.configs.base.find(
  ({ languageOptions }) => languageOptions?.parser !== undefined,
).languageOptions.parser;
let program;

/** The script derived from a component, or its text where it has no script that parses: ESLint then says why. */
function scriptOf(file) {
  const text = readFileSync(file, 'utf8');
  let script;
  const recorder = {
    ...parser,
    parseForESLint(code, options) {
      if (options.project === undefined) return parser.parseForESLint(code, options);
      script = code;
      throw new Error('the script is known'); // Ends the parse, whose result nobody needs.
    },
  };
  try {
    parseForESLint(text, { filePath: file, parser: recorder, project: CONFIG });
  } catch (error) {
    if (script === undefined) console.error(`${file}: ${error.message}`);
  }
  return script ?? text;
}

/** The program of all components, as renderer/tsconfig.json has it. */
function createProgram() {
  const { config } = ts.readConfigFile(CONFIG, ts.sys.readFile);
  const components = {
    extension: '.svelte',
    isMixedContent: true,
    scriptKind: ts.ScriptKind.Deferred,
  };
  const { fileNames, options } = ts.parseJsonConfigFileContent(
    ...[config, ts.sys, path.dirname(CONFIG), undefined, CONFIG, undefined, [components]],
  );
  const allowed = { ...options, allowNonTsExtensions: true };
  const host = ts.createCompilerHost(allowed, true);
  const { readFile } = host;
  host.readFile = (file) => (file.endsWith('.svelte') ? scriptOf(file) : readFile(file));
  return ts.createProgram(fileNames, allowed, host);
}

/** typescript-eslint's parser, which takes the types of a component from the one program. */
export const componentParser = {
  ...parser,
  parseForESLint(code, options) {
    if (options.project === undefined) return parser.parseForESLint(code, options);
    program ??= createProgram();
    const isCurrent = program.getSourceFile(options.filePath)?.text === code;
    return parser.parseForESLint(code, isCurrent ? { ...options, programs: [program] } : options);
  },
};
