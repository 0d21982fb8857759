import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** What `authorize` sees of a request: never its body. */
export interface AuthorizeRequest {
  readonly method: string;
  /**
   * Behind a proxy only its path and query mean something, and the path is as it was sent: routers decode it, and may not
   * care for case. Tell endpoints apart by `method`. The query may hold a secret: do not log it.
   */
  readonly url: URL;
  readonly headers: Headers;
}

/**
 * Tells whether a request may pass: exactly `true` lets it. A throw, a rejection, or no answer in time is a failure and
 * no refusal: the request is answered with 503, so that its sender tries again.
 */
export interface Authorize {
  (request: AuthorizeRequest): boolean | Promise<boolean>;
  /** What a refusal asks for (`WWW-Authenticate`). Default: `Bearer`. */
  readonly challenge?: string;
}

/** What is needed of a Web `Request`: that of Azure Functions has it too. */
export interface WebRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: WebBody | null;
  readonly bodyUsed: boolean;
}

/** What is needed of a `ReadableStream`: its types in Node and in browsers are strangers to each other. */
export interface WebBody {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    cancel(): Promise<void>;
  };
}

/** A request of `node:http`, `node:https` or `node:http2`, also after Express or Connect had it. */
export type NodeRequest = (IncomingMessage | Http2ServerRequest) & {
  /** What a body parser left. */
  readonly body?: unknown;
  /** The url before a router cut it. */
  readonly originalUrl?: string;
};

export type NodeResponse = ServerResponse | Http2ServerResponse;

/** One endpoint in two forms. Neither ever throws or rejects. */
export interface HttpHandler {
  /** The Web form: Hono, Bun, Deno, Next, Azure Functions. */
  (request: WebRequest): Promise<Response>;
  /** The Node form: `node:http`, Express, Connect, Koa. */
  readonly node: (request: NodeRequest, response: NodeResponse) => Promise<void>;
}

/** What both forms are turned into. */
export interface Incoming extends AuthorizeRequest {
  /** Reads the body; called at most once. */
  readBody(limits: BodyLimits): Promise<Body>;
}

export interface BodyLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** A body, or why there is none. `consumed`: somebody read it before, and left nothing. */
export type Body =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'parsed'; readonly content: unknown }
  | { readonly kind: 'too-large' | 'too-slow' | 'broken' | 'consumed' };

/** What is turned into both forms of a response. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: object;
  /** Sent as it is, in place of `body`; `headers` say what it is. */
  readonly text?: string;
}

/** A request that was let in. */
export interface Received extends AuthorizeRequest {
  /** The body as JSON, or the answer that says what is wrong with it. Called at most once. */
  json(): Promise<{ readonly content: unknown } | { readonly refusal: Answer }>;
}
