import type { Address } from './database';

/** The part of the service that this demo compares: how it gets a pool, and what happens to the pool on a rotation. */
export interface Service {
  /** Runs a query on the pool to use now. With `close`, it closes the connection afterwards. */
  query(close: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Starts the service. It calls `tell` with each line that a real service would log. */
export type StartService = (
  mountPath: string,
  address: Address,
  tell: (line: string) => void,
) => Promise<Service>;
