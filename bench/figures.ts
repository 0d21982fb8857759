import type { Figure } from './support/result';

/** All figures by their names on the command line, in the order of the table. Each is loaded only in its own process. */
export const figures = {
  reveal: async () => (await import('./figures/reveal')).reveal,
  audit: async () => (await import('./figures/audit')).audit,
  redact: async () => (await import('./figures/redact')).redact,
  detection: async () => (await import('./figures/detection')).detection,
  watches: async () => (await import('./figures/watches')).watches,
  open: async () => (await import('./figures/open')).open,
  poll: async () => (await import('./figures/poll')).poll,
  'event-loop': async () => (await import('./figures/event-loop')).eventLoop,
  import: async () => (await import('./figures/import')).importCost,
  rotations: async () => (await import('./figures/rotations')).rotations,
  torn: async () => (await import('./figures/torn')).torn,
  'tls-handshakes': async () => (await import('./figures/tls-handshakes')).tlsHandshakes,
  'tls-bad-pairs': async () => (await import('./figures/tls-bad-pairs')).tlsBadPairs,
  'tls-served': async () => (await import('./figures/tls-served')).tlsServed,
  'tls-memory': async () => (await import('./figures/tls-memory')).tlsMemory,
  'pool-faults': async () => (await import('./figures/pool-faults')).poolFaults,
  middleware: async () => (await import('./figures/middleware')).middleware,
  generations: async () => (await import('./figures/generations')).generations,
  'key-vault': async () => (await import('./figures/key-vault')).keyVaultFigure,
  bearer: async () => (await import('./figures/bearer')).bearerFigure,
  tokens: async () => (await import('./figures/tokens')).tokens,
  keyring: async () => (await import('./figures/keyring')).keyringFigure,
  fleet: async () => (await import('./figures/fleet')).fleet,
  'rotation-latency': async () => (await import('./figures/rotation-latency')).rotationLatency,
  matrix: async () => (await import('./figures/matrix')).matrix,
} satisfies Record<string, () => Promise<Figure>>;

export type FigureName = keyof typeof figures;

export const figureNames = Object.keys(figures) as FigureName[];

export function isFigureName(name: string): name is FigureName {
  return Object.hasOwn(figures, name);
}
