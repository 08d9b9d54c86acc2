import { spawn } from 'node:child_process';

/** Start a virtual X display on a free number. Returns its DISPLAY and how to end it. */
export async function startVirtualDisplay() {
  const server = spawn(
    'Xvfb',
    ['-displayfd', '3', '-screen', '0', '1600x1000x24', '-nolisten', 'tcp'],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    },
  );
  const number = await new Promise((resolve, reject) => {
    server.on('error', reject);
    server.on('exit', (code) => reject(new Error(`Xvfb ended with status ${code}`)));
    server.stdio[3].once('data', (data) => resolve(String(data).trim()));
  });
  return { display: `:${number}`, stop: () => server.kill() };
}
