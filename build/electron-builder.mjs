import { rmSync } from 'node:fs';
import path from 'node:path';
import { root } from './paths.mjs';

/** What the system opens with the app: macOS and Windows from here, Linux from build/debian.mjs too. */
export const FILE_TYPES = [
  { ext: 'onnx', name: 'ONNX model', mimeType: 'application/x-onnx' },
  { ext: 'safetensors', name: 'safetensors model', mimeType: 'application/x-safetensors' },
  { ext: 'tflite', name: 'LiteRT model', mimeType: 'application/x-tflite' },
  // shared/recipe-file.ts has the extension; a test compares them.
  {
    ext: 'qrecipe',
    name: 'Quantscope recipe',
    mimeType: 'application/x-quantscope-recipe',
    isJson: true,
  },
];

/**
 * What the packaged binary refuses: to run as plain Node, to be told how by the environment or to be
 * inspected, and to load an app that is not the archive or not as it was packed (macOS and Windows).
 * test/package reads them back.
 */
const FUSES = {
  runAsNode: false,
  enableNodeOptionsEnvironmentVariable: false,
  enableNodeCliInspectArguments: false,
  enableEmbeddedAsarIntegrityValidation: true,
  onlyLoadAppFromAsar: true,
};

/** onnxruntime-node's own needs at run time; its other dependencies serve its download script. */
const RUNTIME = [
  'node_modules/onnxruntime-common/package.json',
  'node_modules/onnxruntime-common/dist/cjs/**/*.{js,json}',
  'node_modules/onnxruntime-node/package.json',
  'node_modules/onnxruntime-node/dist/**/*.js',
  'node_modules/onnxruntime-node/bin/napi-v6/${platform}/${arch}/*',
  // npm has no links: it is libonnxruntime.1.dylib once more.
  '!node_modules/onnxruntime-node/bin/napi-v6/darwin/**/libonnxruntime.1.*.*.dylib',
];

const COMMAND = { from: 'build/bin/quantscope', to: 'bin/quantscope' };

/**
 * electron-builder's configuration.
 * @param electron the version to package, and the folder that it lies in; without one it is downloaded
 * @param output the folder for what is built
 */
export function builderConfig(electron, output) {
  return {
    appId: 'app.quantscope.desktop',
    productName: 'Quantscope',
    copyright: 'MIT License',
    ...(electron.folder === undefined ? {} : { electronDist: electron.folder }),
    electronVersion: electron.version,
    // Its one native module is a Node-API one: no build for this Electron is needed.
    npmRebuild: false,
    publish: null,
    directories: { output, buildResources: path.join(root, 'build') },
    files: ['package.json', 'dist/**/*', '!dist/**/*.map', '!node_modules/**/*', ...RUNTIME],
    // The system loads native code from files only.
    asarUnpack: ['node_modules/onnxruntime-node/bin/**/*'],
    extraFiles: [{ from: 'dist/renderer/licences.txt', to: 'LICENSES.third-party.txt' }],
    electronLanguages: ['en-US', 'en_US'],
    electronFuses: FUSES,
    fileAssociations: FILE_TYPES.map(({ ext, name, mimeType }) => ({
      ...{ ext, name, mimeType },
      role: 'Editor',
      rank: 'Alternate',
    })),
    artifactName: 'quantscope-${version}-${os}-${arch}.${ext}',
    // The fallback Electron has a launcher there.
    afterPack: ({ appOutDir }) =>
      rmSync(path.join(appOutDir, 'resources/app'), { recursive: true, force: true }),
    linux: {
      target: ['AppImage'],
      // Node runs the command line where there is no display, and cannot read the archive.
      asarUnpack: ['dist/*.js', 'dist/*.wasm', 'node_modules/**/*', 'package.json'],
      extraResources: [COMMAND],
      executableName: 'quantscope',
      icon: 'build/icons/png',
      category: 'Development',
      synopsis: 'See what quantization costs and saves, layer by layer',
    },
    mac: {
      target: ['dmg', 'zip'].map((target) => ({ target, arch: ['arm64', 'x64'] })),
      icon: 'build/icons/icon.icns',
      category: 'public.app-category.developer-tools',
      extraResources: [COMMAND],
    },
    win: {
      target: ['nsis', 'zip'].map((target) => ({ target, arch: ['x64'] })),
      icon: 'build/icons/icon.ico',
      extraResources: [{ from: 'build/bin/quantscope.cmd', to: 'bin/quantscope.cmd' }],
    },
    nsis: { oneClick: false, allowToChangeInstallationDirectory: true },
  };
}
