import { type CurrentCredential, MAX_RETRIES } from './current-credential';
import { canResend, originOf } from './requests';

/** The part of an axios instance that counts here. */
export interface AxiosLike {
  readonly interceptors: {
    readonly request: { use(...handlers: never[]): unknown };
    readonly response: { use(...handlers: never[]): unknown };
  };
  request(config: never): Promise<unknown>;
}

/** How interceptors are added, for those of this file. */
interface Interceptors {
  readonly request: { use(fulfilled: (config: Config) => Config): unknown };
  readonly response: {
    use(fulfilled: (response: Answer) => unknown, rejected: (error: Failure) => unknown): unknown;
  };
}

type Redirect = (
  options: RedirectOptions,
  response: unknown,
  request: { readonly url?: string } | undefined,
) => void;

interface RedirectOptions {
  readonly href?: string;
  readonly headers: Record<string, unknown>;
}

interface Config {
  headers: { set(name: string, value: string): unknown };
  data?: unknown;
  adapter?: unknown;
  fetchOptions?: object | undefined;
  beforeRedirect?: Redirect | undefined;
  signal?: AbortSignal | undefined;
  transformRequest?: unknown;
  /** axios copies unknown options from one attempt to the next. Plain data, because it prints them. */
  hotSecrets?: { readonly retries: number } | undefined;
}

/** What is known of one attempt. */
interface Attempt {
  readonly used: Readonly<Record<string, string>>;
  /** True once a redirect led to another origin, which got no credential. */
  left: boolean;
}

interface Answer {
  readonly status: number;
  readonly config: Config;
}

/** An error of axios: with a response if its status was refused, and without one if there was none. */
interface Failure {
  readonly response?: Answer;
}

/** Makes an axios instance send the current credential, and send refused requests again with a newer one. */
export function attachTo(axios: AxiosLike, credential: CurrentCredential, statuses: readonly number[]): void {
  const attempts = new WeakMap<Config, Attempt>();

  /** Resolves with the answer to another attempt; undefined if there is none. */
  const again = async ({ status, config }: Answer): Promise<unknown> => {
    const attempt = attempts.get(config);
    if (attempt === undefined || attempt.left) return undefined;
    if (!statuses.includes(status)) return void credential.accepted(attempt.used);
    const { retries } = config.hotSecrets ?? { retries: 0 };
    if (retries === MAX_RETRIES || !canResend(config.data))
      return void credential.refused(attempt.used, status);
    if (!(await credential.replaced(attempt.used, status, config.signal))) return undefined;
    const next: Config = {
      ...config,
      hotSecrets: { retries: retries + 1 },
      // The data were transformed for the first attempt.
      transformRequest: [(data: unknown) => data],
    };
    return { answer: axios.request(next as never) };
  };

  const interceptors = axios.interceptors as unknown as Interceptors;
  interceptors.request.use((config) => {
    const attempt: Attempt = { used: credential.current, left: false };
    for (const [name, value] of Object.entries(attempt.used)) config.headers.set(name, value);
    attempts.set(config, attempt);
    keepFromOthers(config, attempt);
    return config;
  });
  interceptors.response.use(
    async (response) => {
      const next = (await again(response)) as { readonly answer: unknown } | undefined;
      return next === undefined ? response : next.answer;
    },
    async (error) => {
      const { response } = error ?? {};
      const next = response && ((await again(response)) as { readonly answer: unknown } | undefined);
      if (next === undefined) throw error;
      return next.answer;
    },
  );
}

/** axios removes only `authorization` on a redirect to another origin. */
function keepFromOthers(config: Config, attempt: Attempt): void {
  const { beforeRedirect, adapter } = config;
  const names = Object.keys(attempt.used);
  config.beforeRedirect = (options, response, request) => {
    if (request?.url === undefined || originOf(options.href) !== originOf(request.url)) {
      attempt.left = true;
      for (const name of Object.keys(options.headers)) {
        if (names.includes(name.toLowerCase())) delete options.headers[name];
      }
    }
    beforeRedirect?.(options, response, request);
  };
  // Its adapter for `fetch` asks nobody, and `fetch` follows with every header but `authorization`.
  if (adapter === 'fetch' && names.some((name) => name !== 'authorization')) {
    config.fetchOptions = { redirect: 'manual', ...config.fetchOptions };
  }
}
