import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import type { Computer, FeatureFact } from '../../../shared/computer.ts';
import {
  featuresOfCpuinfo,
  featuresOfModel,
  featuresOfSysctl,
  unknownFeatures,
} from './features.ts';

/** sysctl answers in milliseconds; a system on which it does not is one that does not say. */
const SYSCTL_TIMEOUT_MS = 2000;
const SYSCTL_NAMES = ['hw.optional', 'machdep.cpu.leaf7_features'];

/** What is known of the computer that this runs on. Nothing here fails: what cannot be read is unknown. */
export function thisComputer(): Computer {
  const processor = (os.cpus()[0]?.model ?? '').trim().replace(/\s+/g, ' ');
  return {
    platform: process.platform,
    architecture: process.arch,
    processor: processor === 'unknown' ? '' : processor,
    cores: os.cpus().length,
    memoryBytes: os.totalmem(),
    features: features(processor),
  };
}

function features(processor: string): readonly FeatureFact[] {
  try {
    if (process.platform === 'linux')
      return featuresOfCpuinfo(fs.readFileSync('/proc/cpuinfo', 'utf8'));
    if (process.platform === 'darwin') return featuresOfSysctl(sysctl());
    return featuresOfModel(processor);
  } catch {
    return unknownFeatures();
  }
}

/** A name that the system does not know is told on stderr, and with its status; what it knows it prints. */
function sysctl(): string {
  return SYSCTL_NAMES.map((name) => {
    try {
      return execFileSync('/usr/sbin/sysctl', [name], {
        encoding: 'utf8',
        timeout: SYSCTL_TIMEOUT_MS,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    } catch {
      return '';
    }
  }).join('\n');
}
