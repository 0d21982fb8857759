import axios from 'axios';
import got from 'got';
import type { Bearer } from 'hot-secrets/bearer';
import * as undici from 'undici';

export interface Sent {
  readonly method?: 'GET' | 'POST';
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

type Send = (url: string, sent?: Sent) => Promise<Answer>;

const viaFetch =
  (fetch: (url: string, init?: never) => Promise<Response>): Send =>
  async (url, sent = {}) => {
    const duplex = sent.body === undefined ? {} : { duplex: 'half' };
    const response = await fetch(url, { ...sent, ...duplex } as never);
    return { status: response.status, body: await response.text() };
  };

const viaDispatcher =
  (dispatcher: undici.Dispatcher): Send =>
  async (url, { method = 'GET', ...sent } = {}) => {
    const response = await undici.request(url, { ...sent, method, dispatcher } as never);
    return { status: response.statusCode, body: await response.body.text() };
  };

const viaAxios =
  (instance: ReturnType<typeof axios.create>): Send =>
  async (url, { method = 'GET', body, ...rest } = {}) => {
    try {
      const response = await instance.request({ url, method, data: body, responseType: 'text', ...rest });
      return { status: response.status, body: String(response.data) };
    } catch (error) {
      const { response } = error as { response?: { status: number; data: unknown } };
      if (response === undefined) throw error;
      return { status: response.status, body: String(response.data) };
    }
  };

const redirects = undici.interceptors.redirect({ maxRedirections: 5 });

/** The clients that can send the credential, each as a function from it and the origin of the API. */
export const httpClients: Readonly<Record<string, (auth: Bearer, origin: string) => Send>> = {
  fetch: (auth) => viaFetch(auth.fetch as never),
  'undici.request, redirects outside': (auth, origin) =>
    viaDispatcher(new undici.Agent().compose(auth.interceptor(origin), redirects)),
  'undici.request, redirects inside': (auth, origin) =>
    viaDispatcher(new undici.Agent().compose(redirects, auth.interceptor(origin))),
  'undici.fetch with a dispatcher': (auth, origin) => {
    const dispatcher = new undici.Agent().compose(auth.interceptor(origin));
    return viaFetch(((url: string, init: object) => undici.fetch(url, { ...init, dispatcher })) as never);
  },
  axios: (auth) => viaAxios(auth.axios(axios.create())),
  'axios that rejects nothing': (auth) => viaAxios(auth.axios(axios.create({ validateStatus: () => true }))),
  'axios on fetch': (auth) => viaAxios(auth.axios(axios.create({ adapter: 'fetch' }))),
  got: (auth) => {
    const client = got.extend(auth.got, { throwHttpErrors: false });
    return async (url, sent = {}) => {
      const response = await client(url, sent as object);
      return { status: response.statusCode, body: response.body };
    };
  },
};
