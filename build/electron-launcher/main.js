// Starts the app whose folder stands in the arguments, as Electron's default app does: the fallback
// distribution came without that.
'use strict';
const { app } = require('electron');
const fs = require('node:fs');
const path = require('node:path');

const index = process.argv.findIndex((argument, at) => at > 0 && !argument.startsWith('-'));
const folder = path.resolve(process.argv[index] ?? '.');
const manifest = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
// A packaged app's argv begins with the binary alone, a default app's with the binary and the folder.
process.argv.splice(index, 1);
process.argv.splice(1, 0, folder);
process.defaultApp = true;
app.setAppPath(folder);
app.setName(manifest.productName ?? manifest.name);
app.setVersion(manifest.version);
require(path.join(folder, manifest.main));
