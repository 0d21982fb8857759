import type { Pool } from 'pg';
import type { Address } from './database';

/** The part of the service that this demo compares: how it gets a pool, and what happens to the pool on a rotation. */
export interface Service {
  /** The pool to use now. */
  pool(): Pool;
  close(): Promise<void>;
}

/** Starts the service. It calls `tell` with each line that a real service would log. */
export type StartService = (
  mountPath: string,
  address: Address,
  tell: (line: string) => void,
) => Promise<Service>;
