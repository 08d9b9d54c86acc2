import { expect, test, vi } from 'vitest';
import { untilAborted } from '../../../../renderer/state/until-aborted.ts';

interface Later {
  readonly promise: Promise<number>;
  readonly resolve: (value: number) => void;
  readonly reject: (error: Error) => void;
}

function later(): Later {
  let [resolve, reject]: [Later['resolve'], Later['reject']] = [() => undefined, () => undefined];
  const promise = new Promise<number>((done, failed) => {
    [resolve, reject] = [done, failed];
  });
  return { promise, resolve, reject };
}

test('work that ends in time is answered, and nothing is late', async () => {
  const late = vi.fn();
  const abort = new AbortController();
  expect(await untilAborted(Promise.resolve(3), abort.signal, late)).toBe(3);
  abort.abort();
  expect(late).not.toHaveBeenCalled();
});

test.each([true, false])(
  'aborted work is given up at once, and told of when it ends (before: %s)',
  async (before) => {
    const late = vi.fn();
    const abort = new AbortController();
    const { promise, resolve } = later();
    if (before) abort.abort();
    const answer = untilAborted(promise, abort.signal, late);
    abort.abort();
    await expect(answer).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(late).not.toHaveBeenCalled();
    resolve(3);
    await promise;
    await Promise.resolve();
    expect(late).toHaveBeenCalledOnce();
  },
);

test('work that fails after it was given up is forgotten', async () => {
  const late = vi.fn();
  const abort = new AbortController();
  const { promise, reject } = later();
  const answer = untilAborted(promise, abort.signal, late);
  abort.abort();
  await expect(answer).rejects.toMatchObject({ code: 'CANCELLED' });
  reject(new Error('late'));
  await promise.catch(() => undefined);
  expect(late).not.toHaveBeenCalled();
});
