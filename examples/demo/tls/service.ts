import type { Server } from 'node:https';

/** What the service would log. The demo counts it, and continues where a real process would have ended. */
export interface ServiceLog {
  /** A new pair was refused, with the code of the reason; the old one serves. */
  refused(code: string): void;
  /** An error in a callback, where nobody catches it: Node ends the process. */
  uncaught(error: unknown): void;
}

/**
 * The part of the service that this demo compares: who gives the server its certificate, from `tls.crt` and `tls.key`
 * in the mount, and what happens when they rotate. Resolves when the server has its first one.
 */
export type ServeCertificate = (
  server: Server,
  mountPath: string,
  log: ServiceLog,
) => Promise<{ close(): Promise<void> }>;
