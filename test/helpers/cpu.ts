/** Milliseconds of processor time that a call takes on this process's threads: other work on the machine adds little. */
export function cpuMilliseconds(call: () => void): number {
  const before = process.cpuUsage();
  call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
