import { spawnSync } from 'node:child_process';
import { root } from './paths.mjs';

/** For the checkers written in Go: they end in seconds with 1.2 GB, and collect only what goes beyond 2 GiB. */
export const seldomCollected = { ...process.env, GOGC: 'off', GOMEMLIMIT: '2GiB' };

/** Run a command in the repository with its output shown. Throws when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0)
    throw new Error(
      `${[command, ...args].join(' ')} failed with status ${result.status ?? result.signal}`,
    );
  return result;
}

/** npm, by the client that runs us where there is one. */
export function npm(args, options = {}) {
  const client = process.env['npm_execpath'];
  if (client !== undefined && client.endsWith('.js'))
    return run(process.execPath, [client, ...args], options);
  return run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, options);
}
