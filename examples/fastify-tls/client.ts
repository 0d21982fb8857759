import { once } from 'node:events';
import { type Agent, get } from 'node:https';
import { json } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';

/** What a client got, and whom it talked to. */
export interface Answer {
  /** The common name in the certificate that its connection began with. */
  readonly server: string;
  readonly status: number | undefined;
  readonly body: unknown;
}

/** Asks once: over a new connection, or over those of an agent. */
export async function ask(url: string, ca: string, agent: Agent | false = false): Promise<Answer> {
  const [response] = await once(get(url, { ca, agent }), 'response');
  const { subject } = (response.socket as TLSSocket).getPeerCertificate();
  return { server: String(subject.CN), status: response.statusCode, body: await json(response) };
}
