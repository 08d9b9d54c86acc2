/** At most one call in 50 ms: the page draws no more often. The last value of a burst is kept, and sent late. */
export function throttled<T>(call: (value: T) => void): (value: T) => void {
  let last = -Infinity;
  let pending: { readonly value: T } | null = null;
  const send = (value: T): void => {
    last = performance.now();
    pending = null;
    call(value);
  };
  return (value) => {
    const wait = last + 50 - performance.now();
    if (wait <= 0) send(value);
    else {
      if (pending === null) setTimeout(() => pending !== null && send(pending.value), wait).unref();
      pending = { value };
    }
  };
}
