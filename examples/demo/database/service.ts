import type { Pool } from 'pg';
import type { Address } from './database';

/** The part of the service that this demo compares: who gives it a pool, and what happens to it on a rotation. */
export interface Service {
  /** The pool to use now. */
  pool(): Pool;
  close(): Promise<void>;
}

/** `tell` takes what the service would log. */
export type StartService = (
  mountPath: string,
  address: Address,
  tell: (line: string) => void,
) => Promise<Service>;
