import type { CurrentCredential } from './current-credential';
import { canResend, isStream, originOf } from './requests';

/** The part of got's options that counts here. */
interface GotOptions {
  url?: string | URL | undefined;
  headers: Record<string, string | string[] | undefined>;
  body?: unknown;
  signal?: unknown;
}

interface GotResponse {
  readonly statusCode: number;
  readonly url: string;
  readonly request: { readonly options: GotOptions };
}

/** Options for `got.extend`. */
export interface GotHooks {
  readonly hooks: {
    beforeRequest: ((options: GotOptions) => void)[];
    beforeRedirect: ((options: GotOptions, response: GotResponse) => void)[];
    afterResponse: (<R extends GotResponse>(
      response: R,
      retry: (options: { headers: Record<string, string> }) => R | Promise<R>,
    ) => Promise<R>)[];
  };
}

/** Makes the hooks that send the current credential, and send a refused request again, once, with a newer one. */
export function createGotHooks(credential: CurrentCredential, statuses: readonly number[]): GotHooks {
  const used = new WeakMap<GotOptions, Readonly<Record<string, string>>>();
  /** Options of requests that a redirect led to another origin. */
  const left = new WeakSet<GotOptions>();

  return {
    hooks: {
      beforeRequest: [
        (options) => {
          if (left.has(options)) return;
          used.set(options, credential.current);
          Object.assign(options.headers, credential.current);
        },
      ],
      beforeRedirect: [
        (options, response) => {
          const { options: before } = response.request;
          if (!left.has(before) && originOf(options.url) === originOf(response.url)) return;
          left.add(options);
          for (const name of Object.keys(used.get(before) ?? {})) delete options.headers[name];
        },
      ],
      afterResponse: [
        async (response, retry) => {
          const { options } = response.request;
          const sent = used.get(options);
          const status = response.statusCode;
          if (sent === undefined) return response;
          if (!statuses.includes(status)) {
            credential.accepted(sent);
            return response;
          }
          const { body } = options;
          if (!canResend(body) || (typeof body === 'object' && body !== null && isStream(body))) {
            credential.refused(sent, status);
            return response;
          }
          const signal = options.signal instanceof AbortSignal ? options.signal : undefined;
          const isReplaced = await credential.replaced(sent, status, signal);
          // got throws here, asynchronously, and begins again without this hook.
          return isReplaced ? await retry({ headers: { ...credential.current } }) : response;
        },
      ],
    },
  };
}
