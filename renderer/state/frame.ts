/**
 * A function that runs `work` once in the next frame however often it is called before; hidden windows,
 * which have no frames, get it after a quarter of a second.
 */
export function oncePerFrame(work: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    const run = () => {
      if (!waiting) return;
      waiting = false;
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      work();
    };
    const frame = requestAnimationFrame(run);
    const timer = setTimeout(run, 250);
  };
}
