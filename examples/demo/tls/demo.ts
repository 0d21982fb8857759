import { createAuthority } from '../../../test/support/certificates';
import type { DemoOptions, DemoResult } from '../demo';
import { serveWithHotSecrets } from './hot-secrets';
import { REREAD_EVERY_MS, serveWithInterval, serveWithWatch } from './naive';
import { LIFETIME_MS } from './pairs';
import { brokenPromises, type Comparison, renderReport, summarize } from './report';
import { type Plan, run } from './run';

const SHORT: Plan = { rotations: 5, badPairEvery: 2 };
const FULL: Plan = { rotations: 20, badPairEvery: 4 };

/** Rotates a server's certificate while clients connect: with two naive approaches, then with `attachSecureContext`. */
export async function tlsDemo({ short, color, progress }: DemoOptions): Promise<DemoResult> {
  const plan = short ? SHORT : FULL;
  const bad = Math.floor(plan.rotations / plan.badPairEvery);
  progress.line(
    `A process opens new connections to an HTTPS server continuously. Each variant gets ${plan.rotations} certificate rotations and ${bad} mismatched pairs.`,
  );
  const authority = await createAuthority();
  const watch = await run('naive: fs.watch', serveWithWatch, authority, plan, progress);
  const interval = await run('naive: setInterval', serveWithInterval, authority, plan, progress);
  const hotSecrets = await run('hot-secrets', serveWithHotSecrets, authority, plan, progress);

  const comparison: Comparison = {
    hotSecrets: summarize(hotSecrets),
    watch: summarize(watch),
    interval: summarize(interval),
  };
  progress.line('');
  progress.line(renderReport(comparison, color));
  progress.line('');
  progress.line('  naive: fs.watch = fs.watch(tls.crt, () => server.setSecureContext(re-read pair))');
  progress.line(
    `  naive: setInterval = the same every ${REREAD_EVERY_MS} ms; a real service waits a minute or more`,
  );
  progress.line(
    `  certificates are valid for ${LIFETIME_MS / 1000} s here, so a server that stops following presents an expired one`,
  );
  const { hotSecrets: figures, ...naive } = comparison;
  return { figures: { ...figures, naive }, broken: brokenPromises(figures) };
}
