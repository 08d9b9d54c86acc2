import { AppError } from '../../shared/errors.ts';
import type { Result } from '../../shared/ipc.ts';

/** What main answered. @throws AppError what went wrong there */
export async function valueOf<T>(answer: Promise<Result<T>>): Promise<T> {
  const result = await answer;
  if (result.ok) return result.value;
  throw AppError.fromData(result.error);
}
