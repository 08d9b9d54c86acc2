/**
 * A function that runs `work` once in the next frame however often it is called before, and no sooner than
 * `pause` milliseconds after the last time; hidden windows, which have no frames, get it a little later.
 */
export function oncePerFrame(work: () => void, pause: () => number): () => void {
  let waiting = false;
  let last = -Infinity;
  return () => {
    if (waiting) return;
    waiting = true;
    const run = (): void => {
      if (!waiting) return;
      waiting = false;
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      last = performance.now();
      work();
    };
    let frame = 0;
    const wait = Math.max(0, last + pause() - performance.now());
    const timer = setTimeout(run, wait + 250);
    if (wait === 0) frame = requestAnimationFrame(run);
    else setTimeout(() => (frame = requestAnimationFrame(run)), wait);
  };
}
