import { AppError } from '../../shared/errors.ts';

/**
 * What work answers, or CANCELLED as soon as the signal is aborted: for work that cannot be stopped half way.
 * @param onLate told when the work ends well although nobody waits for it any more
 */
export async function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  onLate: () => void,
): Promise<T> {
  let giveUp: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => {
      reject(new AppError('CANCELLED', 'cancelled'));
      void work.then(onLate, () => undefined);
    };
  });
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
