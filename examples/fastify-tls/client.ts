import { once } from 'node:events';
import { type Agent, get } from 'node:https';
import { json } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';

/** A response, and the server that sent it. */
export interface Answer {
  /** The common name in the certificate that the server presented when the connection opened. */
  readonly server: string;
  readonly status: number | undefined;
  readonly body: unknown;
}

/** Sends one request, over a new connection or over a connection of `agent`. */
export async function ask(url: string, ca: string, agent: Agent | false = false): Promise<Answer> {
  const [response] = await once(get(url, { ca, agent }), 'response');
  const { subject } = (response.socket as TLSSocket).getPeerCertificate();
  return { server: String(subject.CN), status: response.statusCode, body: await json(response) };
}
