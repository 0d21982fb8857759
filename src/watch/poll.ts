import { unrefTimer } from '../internal/time';

/**
 * Calls `tick` again and again, each time after 90 to 100 % of the interval: never later than promised, and
 * replicas that started together drift apart. Keeps no process alive.
 */
export function startPoll(intervalMs: number, tick: () => void): () => void {
  let cancel = schedule();
  function schedule(): () => void {
    return unrefTimer(intervalMs * (0.9 + Math.random() * 0.1), () => {
      cancel = schedule();
      tick();
    });
  }
  return () => cancel();
}
