// Checks the types of every layer with only the library and types that layer may use: a DOM call in
// the engine, or a Node call in shared/, does not compile. Each file is checked once, in its own layer:
// the layers above it use only its types. The layers share their parsed files, which halves the work.
import { spawn } from 'node:child_process';
import path from 'node:path';
import ts from 'typescript';
import { root } from './paths.mjs';

// The largest first, so that the other layers find most files parsed.
const LAYERS = ['test', 'main', 'start', 'engine', 'cli', 'files', 'preload', 'shared'];

const parsed = new Map();

/** A compiler host that parses each file once for all layers: their configs differ only in library and types. */
function hostOf(options) {
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (file, language, ...rest) => {
    const key = `${file}\n${language.impliedNodeFormat}`;
    if (!parsed.has(key)) parsed.set(key, getSourceFile(file, language, ...rest));
    return parsed.get(key);
  };
  return host;
}

function diagnosticsOf(layer) {
  const config = ts.getParsedCommandLineOfConfigFile(
    path.join(root, `build/tsconfig.${layer}.json`),
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
        throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
      },
    },
  );
  const { fileNames: rootNames, options, errors: configFileParsingDiagnostics } = config;
  const host = hostOf(options);
  const program = ts.createProgram({ rootNames, options, configFileParsingDiagnostics, host });
  const own = rootNames.map((file) => program.getSourceFile(file));
  return [
    ...program.getConfigFileParsingDiagnostics(),
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...own.flatMap((file) => program.getSyntacticDiagnostics(file)),
    ...own.flatMap((file) => program.getSemanticDiagnostics(file)),
  ];
}

function checkLayer(layer) {
  const diagnostics = diagnosticsOf(layer);
  report(layer, diagnostics.length === 0, () =>
    ts.formatDiagnostics(diagnostics, {
      getCanonicalFileName: (file) => file,
      getCurrentDirectory: () => root,
      getNewLine: () => '\n',
    }),
  );
}

function report(layer, ok, output) {
  console.log(ok ? `types: ${layer} ok` : `types: ${layer} failed\n${output()}`);
  if (!ok) process.exitCode = 1;
}

/** Svelte's own checker, in a process beside the other layers. */
function startRenderer() {
  const svelteCheck = path.join(root, 'node_modules/svelte-check/bin/svelte-check');
  const project = 'build/tsconfig.renderer.json';
  const args = ['--tsconfig', project, '--fail-on-warnings', '--output', 'human'];
  const child = spawn(process.execPath, [svelteCheck, ...args], { cwd: root });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  child.on('close', (code) => report('renderer', code === 0, () => output));
}

startRenderer();
for (const layer of LAYERS) checkLayer(layer);
