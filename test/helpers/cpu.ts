import * as fs from 'node:fs';

/** Milliseconds of processor time that a call takes on this process's threads: other work on the machine adds little. */
export function cpuMilliseconds(call: () => void): number {
  const before = process.cpuUsage();
  call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Seconds of processor time of a process until now; null where the system has no /proc, or the process has ended. */
export function processorSecondsOf(pid: number): number | null {
  try {
    const fields = fs
      .readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    // utime and stime, the 14th and 15th of the line, in hundredths of a second.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return null;
  }
}
