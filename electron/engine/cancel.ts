import { AppError } from '../../shared/errors.ts';

/** @throws AppError CANCELLED once the signal is aborted */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new AppError('CANCELLED', 'cancelled');
}
