import type { Address } from './database';

/** The part of the service that this demo compares: what its requests use, and what happens to that on a rotation. */
export interface Service {
  /** Sends one request. With `close`, its connection ends afterwards, if there are several. */
  send(close: boolean): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts the service. It calls `tell` with each line that a real service would log. */
export type StartService = (
  mountPath: string,
  address: Address,
  tell: (line: string) => void,
) => Promise<Service>;
