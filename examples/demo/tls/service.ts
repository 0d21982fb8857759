import type { Server } from 'node:https';

/** What the service would log. The demo counts uncaught errors and continues; a real process would end. */
export interface ServiceLog {
  /** A new pair was refused for the reason in `code`. The server keeps the old pair. */
  refused(code: string): void;
  /** An error in a callback was not caught. Node would end the process. */
  uncaught(error: unknown): void;
}

/**
 * The part of the service that this demo compares: how the server gets its certificate from `tls.crt` and `tls.key` in
 * the mount, and what happens when they rotate. Resolves when the server has its first certificate.
 */
export type ServeCertificate = (
  server: Server,
  mountPath: string,
  log: ServiceLog,
) => Promise<{ close(): Promise<void> }>;
